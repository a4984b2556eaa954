//! What every call of API 3.0 carries beside its action's own parameters, and where those stand.

use http::{HeaderMap, HeaderName, header, request::Parts};

use super::{
    message::Language,
    params::{self, Params},
};
use crate::{Gateway, auth, multipart};

pub(super) const ACTION: HeaderName = HeaderName::from_static("x-tc-action");
pub(super) const VERSION: HeaderName = HeaderName::from_static("x-tc-version");
const LANGUAGE: HeaderName = HeaderName::from_static("x-tc-language");

/// The value of a field, if it is plain text.
pub(super) fn field<'a>(parts: &'a Parts, name: &HeaderName) -> Option<&'a str> {
    parts.headers.get(name).and_then(|value| value.to_str().ok())
}

/// The language that the call asks for, by the parameter `Language` or by its field; else that of
/// its host.
pub(super) fn language(gateway: &Gateway, parts: &Parts, parameter: Option<&str>) -> Language {
    let named = parameter.and_then(Language::from_word);
    let named = named.or_else(|| field(parts, &LANGUAGE).and_then(Language::from_word));
    named.unwrap_or_else(|| Language::of_host(auth::host(parts), gateway.config.language))
}

/// The parameters that stand in the content; `None` = its type is not one that is taken.
pub(super) fn from_content(
    fields: &HeaderMap,
    content: &[u8],
) -> Option<Result<Params, params::Error>> {
    let content_type =
        fields.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match multipart::essence(content_type).to_ascii_lowercase().as_str() {
        "application/json" => Some(Params::from_json(content)),
        "multipart/form-data" => Some(Params::from_multipart(content, content_type)),
        _ => None,
    }
}
