//! Debian's nginx as the origin, and its access log as the witness of what was pulled.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::tools;
use crate::running::eventually;

/// An origin that is up until it is dropped.
pub(crate) struct Nginx {
    child: Child,
    folder: TempDir,
    port: u16,
}

/// What was pulled of one path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pulled {
    /// Requests that were answered 200 or 206.
    pub(crate) requests: u64,
    /// Bytes of content that were sent with them.
    pub(crate) bytes: u64,
}

impl Nginx {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("www")).unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let config = folder.path().join("nginx.conf");
        fs::write(&config, configuration(folder.path(), port)).unwrap();
        let child = tools::nginx()
            .arg("-c")
            .arg(&config)
            .arg("-p")
            .arg(folder.path())
            .arg("-e")
            .arg(folder.path().join("error.log"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let nginx = Self { child, folder, port };
        eventually(Duration::from_secs(120), "nginx answers", || {
            TcpStream::connect((Ipv4Addr::LOCALHOST, nginx.port)).ok()
        });
        nginx
    }

    /// `http://host:port`, as `--origin` takes it.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Where its files lie.
    pub(crate) fn www(&self) -> PathBuf {
        self.folder.path().join("www")
    }

    /// What was pulled so far, by path and query. nginx writes a line when a reply has ended.
    pub(crate) fn pulled(&self) -> BTreeMap<String, Pulled> {
        let mut pulled = BTreeMap::<_, Pulled>::new();
        for (path, status, bytes) in self.log() {
            if matches!(status, 200 | 206) {
                let entry = pulled.entry(path).or_default();
                entry.requests += 1;
                entry.bytes += bytes;
            }
        }
        pulled
    }

    /// When each reply ended, in seconds, and its bytes of content; in order.
    pub(crate) fn ends(&self) -> Vec<(f64, u64)> {
        let text = fs::read_to_string(self.folder.path().join("access.log")).unwrap();
        let read = |line: &str| {
            let bytes = line.split(' ').nth(2)?.parse().ok()?;
            Some((line.rsplit(' ').next()?.parse().ok()?, bytes))
        };
        text.lines().map(|line| read(line).unwrap_or_else(|| panic!("log line `{line}`"))).collect()
    }

    /// The `Host` field and the path of each request so far.
    pub(crate) fn hosts(&self) -> BTreeSet<(String, String)> {
        let text = fs::read_to_string(self.folder.path().join("access.log")).unwrap();
        let read = |line: &str| {
            let host = line.rsplit(' ').nth(1)?.to_owned();
            Some((host, line.split(' ').next()?.to_owned()))
        };
        text.lines().filter_map(read).collect()
    }

    /// Path, status and bytes of content of each request so far.
    pub(crate) fn log(&self) -> Vec<(String, u16, u64)> {
        let text = fs::read_to_string(self.folder.path().join("access.log")).unwrap();
        let read = |line: &str| {
            let mut words = line.split(' ');
            let path = words.next()?.to_owned();
            Some((path, words.next()?.parse().ok()?, words.next()?.parse().ok()?))
        };
        text.lines().map(|line| read(line).unwrap_or_else(|| panic!("log line `{line}`"))).collect()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // SIGTERM, so that the master takes its worker along
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _ = self.child.wait();
    }
}

fn configuration(folder: &Path, port: u16) -> String {
    let folder = folder.display();
    let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
    format!(
        r#"{user}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 2048; }}
http {{
    log_format witness '$request_uri $status $body_bytes_sent "$http_range" $http_host $msec';
    access_log {folder}/access.log witness;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    default_type application/octet-stream;
    server {{
        listen 127.0.0.1:{port};
        root {folder}/www;
        location /no-ranges/ {{ max_ranges 0; }}
        location /tagged/ {{ add_header Cache-Tag "news, front"; }}
        location /no-store/ {{ add_header Cache-Control no-store; }}
        location /private/ {{ add_header Cache-Control private; }}
        location /cookie/ {{ add_header Set-Cookie a=b; }}
        location /lasting/ {{ add_header Cache-Control max-age=600 always; }}
        location /error/500 {{ return 500; }}
        location /error/403 {{ return 403; }}
        location /moved {{ return 302 /elsewhere; }}
    }}
}}
"#
    )
}
