//! The vendor's SDKs, unmodified, as the caller.

use std::{path::Path, time::Duration};

use serde_json::{Value, json};

use super::Client;
use crate::running::{Stoker, eventually};

/// A caller with an endpoint and keys.
#[derive(Clone, Debug)]
pub(crate) struct Sdk {
    client: Client,
    product: &'static str,
    endpoint: String,
    secret_id: String,
    secret_key: String,
    /// What a temporary key has besides.
    token: Option<String>,
    /// Seconds by which the caller's clock is wrong.
    clock_shift: i64,
    method: &'static str,
    /// `SignatureMethod` of signature v1, or what stands for TC3.
    signature: &'static str,
    /// The file of the certificates to trust, when it is to speak TLS.
    authority: Option<String>,
    /// Who is asked in place of the endpoint.
    proxy: Option<String>,
    /// The language that it asks for, empty for none, where it is not the SDK's own.
    language: Option<&'static str>,
}

impl Sdk {
    /// The owner, calling `cdn` with the SDK for Python.
    pub(crate) fn of(stoker: &Stoker) -> Self {
        let credentials = stoker.credentials();
        let text = |name: &str| credentials[name].as_str().unwrap().to_owned();
        Self {
            client: Client::Python,
            product: "cdn",
            endpoint: format!("127.0.0.1:{}", stoker.ports().api()),
            secret_id: text("secret_id"),
            secret_key: text("secret_key"),
            token: None,
            clock_shift: 0,
            method: "POST",
            signature: "TC3-HMAC-SHA256",
            authority: None,
            proxy: None,
            language: None,
        }
    }

    /// The same caller with another secret key.
    pub(crate) fn with_key(self, secret_key: &str) -> Self {
        Self { secret_key: secret_key.into(), ..self }
    }

    /// The same caller with another secret id.
    pub(crate) fn with_id(self, secret_id: &str) -> Self {
        Self { secret_id: secret_id.into(), ..self }
    }

    /// The same caller with the key that a command of the command line has made.
    pub(crate) fn with_made(self, made: &Value) -> Self {
        let text = |name: &str| made[name].as_str().map(String::from);
        let (secret_id, secret_key) = (text("secret_id").unwrap(), text("secret_key").unwrap());
        Self { secret_id, secret_key, token: text("token"), ..self }
    }

    /// The same caller with another token; the SDKs for Python and Node send one.
    pub(crate) fn with_token(self, token: Option<&str>) -> Self {
        Self { token: token.map(String::from), ..self }
    }

    /// The same caller with a clock that is wrong by so many seconds.
    pub(crate) fn with_clock_shift(self, clock_shift: i64) -> Self {
        Self { clock_shift, ..self }
    }

    /// The same caller, sending its parameters as parts of a form; the SDK for Python can do that.
    pub(crate) fn with_multipart(self) -> Self {
        Self { method: "MULTIPART", ..self }
    }

    /// The same caller, sending GET instead of POST.
    pub(crate) fn with_get(self) -> Self {
        Self { method: "GET", ..self }
    }

    /// The same caller with signature v1 by this method.
    pub(crate) fn with_signature(self, signature: &'static str) -> Self {
        Self { signature, ..self }
    }

    /// The same caller over TLS, trusting this authority alone; the SDK for Python can do that.
    pub(crate) fn with_tls(self, stoker: &Stoker, authority: &Path) -> Self {
        let endpoint = format!("127.0.0.1:{}", stoker.ports().tls());
        Self { endpoint, authority: authority.to_str().map(String::from), ..self }
    }

    /// The same caller, signing for `host`, whose name leads to the same server; the SDKs for Python
    /// can do that.
    pub(crate) fn with_host(self, host: &str) -> Self {
        Self { proxy: Some(format!("http://{}", self.endpoint)), endpoint: host.into(), ..self }
    }

    /// The same caller, asking for another language than its own, or with an empty text for none; the
    /// SDKs for Python can do that.
    pub(crate) fn with_language(self, language: &'static str) -> Self {
        Self { language: Some(language), ..self }
    }

    /// The same caller, calling `teo` instead of `cdn`.
    pub(crate) fn with_teo(self) -> Self {
        Self { product: "teo", ..self }
    }

    /// The same caller with the SDK for Node.
    pub(crate) fn with_node(self) -> Self {
        self.with_client(Client::Node)
    }

    /// The same caller with another client.
    pub(crate) fn with_client(self, client: Client) -> Self {
        Self { client, ..self }
    }

    /// Makes one call: what the SDK gave, or `{"Error": …}` with the code and the message of the
    /// exception that it raised. A call that came too often is made again a little later.
    pub(crate) fn call(&self, action: &str, parameters: Value) -> Value {
        eventually(Duration::from_secs(120), "the call is not one too many", || {
            let reply = self.call_once(action, parameters.clone());
            (reply["Error"]["Code"] != "RequestLimitExceeded").then_some(reply)
        })
    }

    /// Makes calls one after the other.
    pub(crate) fn calls(&self, calls: &[(&str, Value)]) -> Vec<Value> {
        calls.iter().map(|(action, parameters)| self.call(action, parameters.clone())).collect()
    }

    /// Makes one call, one too many though it may be.
    pub(crate) fn call_once(&self, action: &str, parameters: Value) -> Value {
        self.client.call(&json!({
            "product": self.product,
            "endpoint": self.endpoint,
            "secret_id": self.secret_id,
            "secret_key": self.secret_key,
            "token": self.token,
            "clock_shift": self.clock_shift,
            "method": self.method,
            "signature": self.signature,
            "authority": self.authority,
            "proxy": self.proxy,
            "language": self.language,
            "action": action,
            "parameters": parameters,
        }))
    }

    /// Makes one call that must be accepted.
    pub(crate) fn accepted(&self, action: &str, parameters: Value) -> Value {
        let reply = self.call(action, parameters);
        assert!(reply.get("Error").is_none(), "{action}: {reply}");
        reply
    }

    /// Makes one call that must be refused; the code.
    pub(crate) fn refused(&self, action: &str, parameters: Value) -> String {
        let reply = self.call(action, parameters);
        let code = reply["Error"]["Code"].as_str();
        code.unwrap_or_else(|| panic!("{action} was accepted: {reply}")).to_owned()
    }

    /// Pushes URLs; the task.
    pub(crate) fn push(&self, parameters: Value) -> String {
        let reply = self.accepted("PushUrlsCache", parameters);
        reply["TaskId"].as_str().unwrap_or_else(|| panic!("{reply}")).to_owned()
    }

    /// Asks for the records of a task until none is under way; URL and status of each.
    pub(crate) fn wait(&self, task: &str, deadline: Duration) -> Vec<(String, String)> {
        eventually(deadline, "the task is over", || {
            let records = self.records(task);
            records.iter().all(|(_, status)| status != "process").then_some(records)
        })
    }

    /// URL and status of each record of a task.
    pub(crate) fn records(&self, task: &str) -> Vec<(String, String)> {
        let mut records = Vec::new();
        loop {
            let page = json!({"TaskId": task, "Limit": 1000, "Offset": records.len()});
            let reply = self.accepted("DescribePushTasks", page);
            for log in reply["PushLogs"].as_array().unwrap() {
                let text = |name: &str| log[name].as_str().unwrap().to_owned();
                records.push((text("Url"), text("Status")));
            }
            let total = reply["TotalCount"].as_u64().unwrap();
            if records.len() as u64 >= total {
                return records;
            }
        }
    }

    /// URLs charged so far today: mainland, overseas.
    pub(crate) fn charged(&self) -> (u64, u64) {
        let reply = self.accepted("DescribePushQuota", json!({}));
        let charged = |area: &str| {
            let quotas = reply["UrlPush"].as_array().unwrap();
            let quota = quotas.iter().find(|quota| quota["Area"] == area).unwrap();
            quota["Total"].as_u64().unwrap() - quota["Available"].as_u64().unwrap()
        };
        (charged("mainland"), charged("overseas"))
    }
}
