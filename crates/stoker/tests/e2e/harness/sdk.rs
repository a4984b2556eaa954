//! The vendor's SDKs, unmodified, as the caller.

use std::{io::Write, process::Stdio, time::Duration};

use serde_json::{Value, json};

use super::tools;
use crate::running::{Stoker, eventually};

const PYTHON_SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/sdk.py");
const NODE_SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/sdk.js");

/// A caller with an endpoint and keys.
#[derive(Clone, Debug)]
pub(crate) struct Sdk {
    /// Whether it is the SDK for Node; otherwise that for Python.
    is_node: bool,
    product: &'static str,
    endpoint: String,
    secret_id: String,
    secret_key: String,
    /// Seconds by which the caller's clock is wrong.
    clock_shift: i64,
    method: &'static str,
    /// `SignatureMethod` of signature v1, or what stands for TC3.
    signature: &'static str,
}

impl Sdk {
    /// The owner, calling `cdn` with the SDK for Python.
    pub(crate) fn of(stoker: &Stoker) -> Self {
        let credentials = stoker.credentials();
        let text = |name: &str| credentials[name].as_str().unwrap().to_owned();
        Self {
            is_node: false,
            product: "cdn",
            endpoint: format!("127.0.0.1:{}", stoker.ports().api()),
            secret_id: text("secret_id"),
            secret_key: text("secret_key"),
            clock_shift: 0,
            method: "POST",
            signature: "TC3-HMAC-SHA256",
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

    /// The same caller with a clock that is wrong by so many seconds.
    pub(crate) fn with_clock_shift(self, clock_shift: i64) -> Self {
        Self { clock_shift, ..self }
    }

    /// The same caller, sending GET instead of POST.
    pub(crate) fn with_get(self) -> Self {
        Self { method: "GET", ..self }
    }

    /// The same caller with signature v1 by this method.
    pub(crate) fn with_signature(self, signature: &'static str) -> Self {
        Self { signature, ..self }
    }

    /// The same caller, calling `teo` instead of `cdn`.
    pub(crate) fn with_teo(self) -> Self {
        Self { product: "teo", ..self }
    }

    /// The same caller with the SDK for Node.
    pub(crate) fn with_node(self) -> Self {
        Self { is_node: true, ..self }
    }

    /// Makes calls one after the other; for each what the SDK gave, or `{"Error": …}` with the code
    /// and the message of the exception that it raised.
    pub(crate) fn calls(&self, calls: &[(&str, Value)]) -> Vec<Value> {
        let spec = json!({
            "product": self.product,
            "endpoint": self.endpoint,
            "secret_id": self.secret_id,
            "secret_key": self.secret_key,
            "clock_shift": self.clock_shift,
            "method": self.method,
            "signature": self.signature,
            "calls": calls,
        });
        let (mut command, script) = if self.is_node {
            (tools::node(), NODE_SCRIPT)
        } else {
            (tools::python(), PYTHON_SCRIPT)
        };
        let mut child = command
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(spec.to_string().as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        let replies = serde_json::from_slice::<Vec<Value>>(&output.stdout);
        replies.unwrap_or_else(|error| panic!("{error}: {errors}"))
    }

    /// Makes one call.
    pub(crate) fn call(&self, action: &str, parameters: Value) -> Value {
        self.calls(&[(action, parameters)]).remove(0)
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
