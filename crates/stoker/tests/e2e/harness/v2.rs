//! The vendor's older SDKs, unmodified, as callers of API v2.

use std::{path::Path, time::Duration};

use serde_json::{Value, json};

use super::Client;
use crate::running::{Stoker, eventually};

/// A caller with an endpoint and keys.
#[derive(Clone, Debug)]
pub(crate) struct V2Client {
    client: Client,
    endpoint: String,
    /// The file of the certificates to trust.
    authority: String,
    secret_id: String,
    secret_key: String,
    method: &'static str,
    signature: &'static str,
}

impl V2Client {
    /// The owner with the SDK for Python, which speaks TLS and trusts this authority alone.
    pub(crate) fn python(stoker: &Stoker, authority: &Path) -> Self {
        let authority = authority.to_str().unwrap().to_owned();
        let endpoint = format!("127.0.0.1:{}", stoker.ports().tls());
        Self { authority, endpoint, ..Self::node(stoker) }.with_client(Client::OldPython)
    }

    /// The owner with the SDK for Node, over plain HTTP.
    pub(crate) fn node(stoker: &Stoker) -> Self {
        let credentials = stoker.credentials();
        let text = |name: &str| credentials[name].as_str().unwrap().to_owned();
        Self {
            client: Client::OldNode,
            endpoint: format!("127.0.0.1:{}", stoker.ports().api()),
            authority: String::new(),
            secret_id: text("secret_id"),
            secret_key: text("secret_key"),
            method: "POST",
            signature: "HmacSHA1",
        }
    }

    fn with_client(self, client: Client) -> Self {
        Self { client, ..self }
    }

    /// The same caller with GET or POST and this signature.
    pub(crate) fn with(self, method: &'static str, signature: &'static str) -> Self {
        Self { method, signature, ..self }
    }

    /// The same caller with other keys.
    pub(crate) fn with_keys(self, secret_id: &str, secret_key: &str) -> Self {
        Self { secret_id: secret_id.into(), secret_key: secret_key.into(), ..self }
    }

    /// The same caller with another secret key.
    pub(crate) fn with_key(self, secret_key: &str) -> Self {
        Self { secret_key: secret_key.into(), ..self }
    }

    /// Makes one call; what the server answered. One that came too often is made again a little
    /// later, and so is one whose Nonce was used before: the npm client draws it of 65,536, so that
    /// some of many calls in one second have the same.
    pub(crate) fn call(&self, action: &str, parameters: Value) -> Value {
        let draws = parameters.get("Nonce").is_none();
        eventually(Duration::from_secs(120), "the call is neither too many nor a replay", || {
            let reply = self.call_once(action, parameters.clone());
            let is_again = reply["code"] == 4400 || (draws && reply["code"] == 4500);
            (!is_again).then_some(reply)
        })
    }

    /// Makes one call, one too many though it may be.
    pub(crate) fn call_once(&self, action: &str, parameters: Value) -> Value {
        self.client.call(&json!({
            "endpoint": self.endpoint,
            "authority": self.authority,
            "secret_id": self.secret_id,
            "secret_key": self.secret_key,
            "method": self.method,
            "signature": self.signature,
            "action": action,
            "parameters": parameters,
        }))
    }

    /// Makes one call that must be accepted; its data.
    pub(crate) fn accepted(&self, action: &str, parameters: Value) -> Value {
        let mut reply = self.call(action, parameters);
        assert_eq!(reply["code"], 0, "{action}: {reply}");
        assert_eq!(reply["codeDesc"], "Success", "{action}: {reply}");
        reply["data"].take()
    }

    /// Makes one call that must be refused; the code and what describes it.
    pub(crate) fn refused(&self, action: &str, parameters: Value) -> (i64, String) {
        let reply = self.call(action, parameters);
        let told = reply["code"].as_i64().zip(reply["codeDesc"].as_str().map(String::from));
        let told = told.unwrap_or_else(|| panic!("{action}: {reply}"));
        assert_ne!(told.0, 0, "{action} was accepted: {reply}");
        told
    }
}
