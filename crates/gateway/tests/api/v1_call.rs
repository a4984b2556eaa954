//! A client of signature v1, as the vendor's older clients are.

use std::collections::BTreeMap;

use axum::body::Body;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use http::{Method, Request};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sha1::Sha1;
use sha2::Sha256;
use stoker_domain::time::{Clock, Timestamp};

use crate::app::{Answer, App, FORM, HOST, OWNER, SECRET};

pub(crate) type Pairs = Vec<(String, String)>;

/// One call, to be signed.
#[derive(Clone, Debug)]
pub(crate) struct V1Call {
    path: String,
    method: Method,
    pairs: Pairs,
}

impl V1Call {
    pub(crate) fn new(pairs: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).into(), (*value).into());
        Self { path: "/".into(), method: Method::POST, pairs: pairs.iter().map(owned).collect() }
    }

    /// A call of API v2.
    pub(crate) fn v2(pairs: &[(&str, &str)]) -> Self {
        Self::new(pairs).path("/v2/index.php")
    }

    pub(crate) fn path(mut self, path: &str) -> Self {
        self.path = path.into();
        self
    }

    pub(crate) fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    /// Adds a parameter, or replaces it.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.pairs.retain(|(known, _)| known != name);
        self.pairs.push((name.into(), value.into()));
        self
    }

    /// All parameters but the signature. What every call needs is filled in.
    pub(crate) fn pairs(&self, now: Timestamp) -> Pairs {
        let mut pairs = self.pairs.clone();
        for (name, value) in [
            ("SecretId", OWNER.into()),
            ("Timestamp", now.as_seconds().to_string()),
            ("Nonce", "7".into()),
        ] {
            if !pairs.iter().any(|(known, _)| known == name) {
                pairs.push((name.into(), value));
            }
        }
        pairs
    }

    /// The signed request.
    pub(crate) fn request(&self, now: Timestamp) -> Request<Body> {
        let mut pairs = self.pairs(now);
        let signature = sign(self.method.as_str(), &self.path, &pairs);
        pairs.push(("Signature".into(), signature));
        let form = form(&pairs);
        let request = Request::builder().method(&self.method).header("host", HOST);
        if self.method == Method::GET {
            return request.uri(format!("{}?{form}", self.path)).body(Body::empty()).unwrap();
        }
        request.uri(&self.path).header("content-type", FORM).body(Body::from(form)).unwrap()
    }
}

impl App {
    pub(crate) async fn v1(&self, call: &V1Call) -> Answer {
        self.send(call.request(self.clock.now())).await
    }
}

pub(crate) fn form(pairs: &Pairs) -> String {
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let pairs: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    pairs.join("&")
}

pub(crate) fn sign(method: &str, path: &str, pairs: &Pairs) -> String {
    let items: BTreeMap<String, &String> =
        pairs.iter().map(|(name, value)| (name.replace('_', "."), value)).collect();
    let items: Vec<String> = items.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let source = format!("{method}{HOST}{path}?{}", items.join("&"));
    let is_sha256 =
        pairs.iter().any(|(name, value)| name == "SignatureMethod" && value == "HmacSHA256");
    if is_sha256 {
        let mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
        STANDARD.encode(mac.chain_update(source).finalize().into_bytes())
    } else {
        let mac = Hmac::<Sha1>::new_from_slice(SECRET.as_bytes()).unwrap();
        STANDARD.encode(mac.chain_update(source).finalize().into_bytes())
    }
}
