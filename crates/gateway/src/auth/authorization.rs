//! The `Authorization` field of a signed call: its parts, read leniently.
//!
//! Reads text, decides nothing about the signature itself. Never keeps or prints what it refused.

use std::fmt;

/// The only algorithm that is taken.
pub(crate) const ALGORITHM: &str = "TC3-HMAC-SHA256";

/// Last part of every credential scope.
const TERMINATOR: &str = "tc3_request";

/// The parts of an `Authorization` field.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Authorization {
    /// Public half of the key.
    pub(crate) secret_id: String,
    /// Date of the credential scope, as sent; not checked here.
    pub(crate) date: String,
    /// Service of the credential scope; derives the signing key, routes nothing.
    pub(crate) service: String,
    /// Names of the signed fields, lower case, ascending, each once.
    pub(crate) signed_headers: Vec<String>,
    /// The signature, as sent.
    pub(crate) signature: String,
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorization")
            .field("secret_id", &self.secret_id)
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}

/// Why a field is not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// Another algorithm, or none.
    #[error("the algorithm must be `TC3-HMAC-SHA256`")]
    Algorithm,
    /// `Credential` is absent or is not four parts.
    #[error("`Credential` must be `<SecretId>/<date>/<service>/tc3_request`")]
    Credential,
    /// `SignedHeaders` is absent, repeats a name or leaves out a required one.
    #[error("`SignedHeaders` must name `content-type` and `host`, each once")]
    SignedHeaders,
    /// `Signature` is absent.
    #[error("`Signature` is missing")]
    Signature,
}

impl Authorization {
    /// Reads the field: split at commas, blanks trimmed, name and value split at the first `=`.
    ///
    /// # Errors
    /// The first part that is missing or wrong.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let rest = text.trim().strip_prefix(ALGORITHM).ok_or(Error::Algorithm)?;
        if !rest.starts_with([' ', '\t', ',']) {
            return Err(Error::Algorithm);
        }
        let (mut credential, mut signed, mut signature) = (None, None, None);
        for part in rest.split(',') {
            let Some((name, value)) = part.split_once('=') else { continue };
            match name.trim().to_ascii_lowercase().as_str() {
                "credential" => credential = Some(value.trim()),
                "signedheaders" => signed = Some(value.trim()),
                "signature" => signature = Some(value.trim()),
                _ => {}
            }
        }
        let scope: Vec<&str> = credential.ok_or(Error::Credential)?.split('/').collect();
        let [secret_id, date, service, TERMINATOR] = scope[..] else {
            return Err(Error::Credential);
        };
        if secret_id.is_empty() || date.is_empty() || service.is_empty() {
            return Err(Error::Credential);
        }
        let signature = signature.filter(|text| !text.is_empty()).ok_or(Error::Signature)?;
        Ok(Self {
            secret_id: secret_id.into(),
            date: date.into(),
            service: service.into(),
            signed_headers: signed_headers(signed.ok_or(Error::SignedHeaders)?)?,
            signature: signature.into(),
        })
    }
}

fn signed_headers(list: &str) -> Result<Vec<String>, Error> {
    let mut names: Vec<String> =
        list.split(';').map(|name| name.trim().to_ascii_lowercase()).collect();
    names.sort();
    let repeats = names.windows(2).any(|pair| pair[0] == pair[1]);
    let is_complete =
        ["content-type", "host"].iter().all(|required| names.iter().any(|name| name == required));
    if repeats || !is_complete {
        return Err(Error::SignedHeaders);
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn blanks_order_and_unknown_parts_do_not_matter() {
        let text = "TC3-HMAC-SHA256  Signature = ab , Extra, SignedHeaders=Host;content-type,\
                    Credential=AKID/2023-11-14/localhost:8080/tc3_request";
        let read = Authorization::parse(text).unwrap();
        assert_eq!(read.secret_id, "AKID");
        assert_eq!((read.date.as_str(), read.service.as_str()), ("2023-11-14", "localhost:8080"));
        assert_eq!(read.signed_headers, ["content-type", "host"]);
        assert_eq!(read.signature, "ab");
    }

    #[test]
    fn the_signature_is_never_printed() {
        let text = "TC3-HMAC-SHA256 Credential=A/d/s/tc3_request, \
                    SignedHeaders=content-type;host, Signature=5ec4e7";
        assert!(!format!("{:?}", Authorization::parse(text).unwrap()).contains("5ec4e7"));
    }

    #[test]
    fn what_is_missing_is_named() {
        let good = "Credential=A/d/s/tc3_request";
        let signed = "SignedHeaders=content-type;host";
        for (text, error) in [
            ("SKIP".into(), Error::Algorithm),
            (String::new(), Error::Algorithm),
            ("TC3-HMAC-SHA256".into(), Error::Algorithm),
            ("TC3-HMAC-SHA2567 x".into(), Error::Algorithm),
            ("Bearer abc".into(), Error::Algorithm),
            (format!("{ALGORITHM} {signed}, Signature=a"), Error::Credential),
            (format!("{ALGORITHM} Credential=A/d/s/tc2, {signed}, Signature=a"), Error::Credential),
            (
                format!("{ALGORITHM} Credential=/d/s/tc3_request, {signed}, Signature=a"),
                Error::Credential,
            ),
            (format!("{ALGORITHM} {good}, Signature=a"), Error::SignedHeaders),
            (format!("{ALGORITHM} {good}, SignedHeaders=host, Signature=a"), Error::SignedHeaders),
            (format!("{ALGORITHM} {good}, {signed};host, Signature=a"), Error::SignedHeaders),
            (format!("{ALGORITHM} {good}, {signed}, Signature="), Error::Signature),
        ] {
            assert_eq!(Authorization::parse(&text), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC*") {
            let _ = Authorization::parse(&text);
            let _ = Authorization::parse(&format!("{ALGORITHM} {text}"));
        }
    }
}
