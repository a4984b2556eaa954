//! A viewer: asks a node or the server, with or without leave to fetch.

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt, Empty};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::runtime::{Builder, Runtime};

/// A viewer with connections of its own.
pub(crate) struct Http {
    runtime: Runtime,
    client: Client<HttpConnector, Empty<Bytes>>,
}

/// A whole reply.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) fields: HeaderMap,
    pub(crate) body: Bytes,
}

impl Http {
    pub(crate) fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        Self { runtime, client: Client::builder(TokioExecutor::new()).build_http() }
    }

    /// GET of `path` at `127.0.0.1:port` with `Host: host`; nothing when nobody answers.
    pub(crate) fn get(&self, port: u16, host: &str, path: &str) -> Option<Reply> {
        self.ask(port, host, path, &[])
    }

    /// GET that may be answered from the cache alone.
    pub(crate) fn get_cached(&self, port: u16, host: &str, path: &str) -> Option<Reply> {
        self.ask(port, host, path, &[("cache-control", "only-if-cached")])
    }

    pub(crate) fn ask(
        &self,
        port: u16,
        host: &str,
        path: &str,
        fields: &[(&str, &str)],
    ) -> Option<Reply> {
        let mut request =
            Request::get(format!("http://127.0.0.1:{port}{path}")).header(header::HOST, host);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let request = request.body(Empty::new()).unwrap();
        self.runtime.block_on(async {
            let (head, body) = self.client.request(request).await.ok()?.into_parts();
            let body = body.collect().await.ok()?.to_bytes();
            Some(Reply { status: head.status, fields: head.headers, body })
        })
    }
}

impl Reply {
    /// Whether the node answered from its own store: 200, and the last entry of `Cache-Status`,
    /// which is the node's own, says `hit`.
    pub(crate) fn is_hit(&self) -> bool {
        let status = self.fields.get("cache-status").and_then(|field| field.to_str().ok());
        let own = status.and_then(|field| field.rsplit(',').next()).unwrap_or_default();
        self.status == StatusCode::OK && own.split(';').skip(1).any(|part| part.trim() == "hit")
    }
}
