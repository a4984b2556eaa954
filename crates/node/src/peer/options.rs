//! How a task wants its content to be asked for, as a field value: JSON in URL-safe base64, because
//! the values are a tenant's and may hold anything.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::HeaderValue;
use stoker_domain::task::FetchOptions;

/// `options` as a field value; `None` when they are the defaults.
pub fn encode_options(options: &FetchOptions) -> Option<HeaderValue> {
    if *options == FetchOptions::default() {
        return None;
    }
    let json = serde_json::to_vec(options).ok()?;
    HeaderValue::try_from(URL_SAFE_NO_PAD.encode(json)).ok()
}

/// What [`encode_options`] wrote; `None` for anything else.
pub fn decode_options(value: &HeaderValue) -> Option<FetchOptions> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(value.as_bytes()).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_travel_unless_they_are_the_defaults() {
        assert_eq!(encode_options(&FetchOptions::default()), None);
        let options = FetchOptions {
            user_agent: Some("x".into()),
            headers: vec![("A".into(), "b, ü".into())],
            disable_range: true,
            ..FetchOptions::default()
        };
        let value = encode_options(&options).unwrap();
        assert_eq!(decode_options(&value), Some(options));
        assert_eq!(decode_options(&HeaderValue::from_static("%%")), None);
    }
}
