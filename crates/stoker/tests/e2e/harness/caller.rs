//! The vendor's clients as processes that make one call after another: starting one takes longer
//! than any call.
//!
//! A process makes the calls of one test at a time; it ends with the tests, whose end closes its
//! standard input.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Stdio},
    sync::Mutex,
};

use serde_json::Value;

use super::tools;

/// One of the vendor's clients, unmodified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    /// `tencentcloud-sdk-python-cdn` and `-teo`.
    Python,
    /// `tencentcloud-sdk-python-intl-en`, of the vendor's international endpoints.
    International,
    /// npm `tencentcloud-sdk-nodejs`.
    Node,
    /// `tccli`.
    Tccli,
    /// `qcloudapi-sdk-python`.
    OldPython,
    /// npm `qcloudapi-sdk`.
    OldNode,
}

/// Processes that wait for their next call.
static IDLE: Mutex<Vec<(Client, Caller)>> = Mutex::new(Vec::new());

struct Caller {
    process: Child,
    requests: ChildStdin,
    replies: BufReader<ChildStdout>,
}

impl Client {
    /// Makes one call; what the client gave.
    pub(crate) fn call(self, spec: &Value) -> Value {
        let mut caller = self.take();
        writeln!(caller.requests, "{spec}").unwrap();
        let mut reply = String::new();
        caller.replies.read_line(&mut reply).unwrap();
        if reply.is_empty() {
            panic!("{self:?} ended with {:?}", caller.process.wait());
        }
        IDLE.lock().unwrap().push((self, caller));
        let reply: Value = serde_json::from_str(&reply).unwrap();
        assert!(reply.get("Fault").is_none(), "{self:?}: {spec}: {}", reply["Fault"]);
        reply
    }

    fn take(self) -> Caller {
        let mut idle = IDLE.lock().unwrap();
        match idle.iter().position(|(client, _)| *client == self) {
            Some(place) => idle.swap_remove(place).1,
            None => self.start(),
        }
    }

    fn start(self) -> Caller {
        let (mut command, script) = match self {
            Self::Python => (tools::python(), "sdk.py"),
            Self::International => (tools::international_python(), "sdk.py"),
            Self::Node => (tools::node(), "sdk.js"),
            Self::Tccli => (tools::python(), "cli.py"),
            Self::OldPython => (tools::python(), "v2.py"),
            Self::OldNode => (tools::node(), "v2.js"),
        };
        // these clients would ask a proxy even for the loopback address
        for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"] {
            command.env_remove(name);
        }
        let mut process = command
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/callers/").to_owned() + script)
            // tccli writes a profile and a log there
            .env("HOME", concat!(env!("CARGO_TARGET_TMPDIR"), "/home"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let requests = process.stdin.take().unwrap();
        let replies = BufReader::new(process.stdout.take().unwrap());
        Caller { process, requests, replies }
    }
}
