//! A small client of the server's admin API, and of nodes as a viewer.
//!
//! Signs each call, follows nothing, and repeats only what the server did not do because the account
//! calls too often. A command that polls decides itself what a missing answer means.

mod http;

pub(crate) use http::{Answer, Connection};

use std::time::Duration;

use ::http::{Method, Uri, header};
use bytes::Bytes;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rustls::pki_types::CertificateDer;
use serde::{Serialize, de::DeserializeOwned};
use stoker_domain::time::Clock;
use stoker_gateway::{Outgoing, admin::api::Problem};
use tokio::time::sleep;

use crate::{clock::SystemClock, entropy, failure::Failure};

/// Rows that are asked for at once.
const PAGE: usize = 1000;
/// Longest time for one call, its answer included. A call may carry 100,000 URLs.
const PATIENCE: Duration = Duration::from_secs(120);
/// What the server answers to an account that calls too often, and where it has no room for the
/// content; nothing was done then.
const LATER: [&str; 2] = ["urn:stoker:problem:too-often", "urn:stoker:problem:busy"];
/// How often such a call is repeated, and the pause before, if none is named.
const MOST_REPEATS: u32 = 30;
const PAUSE: Duration = Duration::from_secs(1);

/// A key pair.
pub(crate) struct Keys {
    /// Public half.
    pub(crate) secret_id: String,
    /// Secret half.
    pub(crate) secret_key: String,
}

/// A client of one server.
pub(crate) struct Client {
    endpoint: String,
    authority: String,
    keys: Keys,
    connection: Connection,
}

/// Why a call gave no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// No answer at all.
    #[error("cannot reach the server at `{endpoint}`")]
    Unreachable {
        /// Where it was sought.
        endpoint: String,
        /// What went wrong on the way.
        #[source]
        cause: http::Error,
    },
    /// The system gives no random bytes, which every call needs.
    #[error("cannot read random bytes from the system")]
    Random,
    /// The server refuses the call.
    #[error("{}", .0.detail)]
    Refused(Box<Problem>),
    /// An answer that is not the admin API's.
    #[error("the server at `{endpoint}` answered {status} with something that is not Stoker's")]
    Foreign {
        /// Who answered.
        endpoint: String,
        /// With what status.
        status: u16,
    },
}

impl Error {
    fn way_out(&self) -> Option<String> {
        match self {
            Self::Unreachable { .. } => {
                Some("is `stoker up` running? `stoker doctor` tells more".into())
            }
            Self::Random => None,
            Self::Refused(problem) => problem.hint.clone(),
            Self::Foreign { .. } => {
                Some("check the endpoint: another program may listen there".into())
            }
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let hint = error.way_out();
        Self::because_of(&error).maybe_hint(hint)
    }
}

impl Client {
    /// A client of the server at `endpoint`, `http[s]://HOST[:PORT]`, that trusts `authorities`
    /// besides the well-known ones.
    pub(crate) fn new(
        endpoint: &str,
        keys: Keys,
        authorities: &[CertificateDer<'_>],
    ) -> Result<Self, Failure> {
        let wrong = || {
            Failure::usage(format!("endpoint `{endpoint}` is not a URL"))
                .hint("write `http://HOST:PORT`, as in credentials.json")
        };
        let uri: Uri = endpoint.trim_end_matches('/').parse().map_err(|_| wrong())?;
        let authority = uri.authority().filter(|_| uri.scheme().is_some()).ok_or_else(wrong)?;
        Ok(Self {
            endpoint: endpoint.trim_end_matches('/').into(),
            authority: authority.to_string(),
            keys,
            connection: Connection::new(authorities),
        })
    }

    /// Where the server is.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The connections, for asking nodes as a viewer does.
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Asks for `path`, which may carry a query.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        let answer = self.call(Method::GET, path, Vec::new()).await?;
        self.read(&answer)
    }

    /// Reads the list at `path`, page by page until there are `most` rows or no more. `split` takes a
    /// page apart into its rows and what names the next one.
    pub(crate) async fn list<P: DeserializeOwned, T>(
        &self,
        path: &str,
        most: usize,
        split: impl Fn(P) -> (Vec<T>, Option<String>),
    ) -> Result<Vec<T>, Error> {
        let mark = if path.contains('?') { '&' } else { '?' };
        let (mut all, mut after) = (Vec::new(), String::new());
        loop {
            let limit = PAGE.min(most.saturating_sub(all.len()));
            let page = self.get(&format!("{path}{mark}limit={limit}{after}")).await?;
            let (rows, next) = split(page);
            all.extend(rows);
            match next {
                Some(next) if all.len() < most => {
                    after = format!("&after={}", utf8_percent_encode(&next, NON_ALPHANUMERIC));
                }
                _ => return Ok(all),
            }
        }
    }

    /// Sends `body` to `path`.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Error> {
        let body = serde_json::to_vec(body).expect("our own values are plain JSON");
        let answer = self.call(Method::POST, path, body).await?;
        self.read(&answer)
    }

    /// Deletes what is at `path`.
    pub(crate) async fn delete(&self, path: &str) -> Result<(), Error> {
        self.call(Method::DELETE, path, Vec::new()).await.map(|_| ())
    }

    /// Asks for `path` without signing, whatever the status of the answer.
    pub(crate) async fn get_open(&self, path: &str) -> Result<Answer, Error> {
        let request = ::http::Request::get(format!("{}{path}", self.endpoint));
        self.connection
            .send(request, Vec::new(), PATIENCE)
            .await
            .map_err(|cause| self.unreachable(cause))
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: impl Into<Bytes>,
    ) -> Result<Answer, Error> {
        let body = body.into();
        let mut repeats = 0;
        loop {
            let answer = self.send(&method, path, body.clone()).await?;
            if answer.status.is_success() {
                return Ok(answer);
            }
            match serde_json::from_slice::<Problem>(&answer.body) {
                Ok(problem) if LATER.contains(&&*problem.kind) && repeats < MOST_REPEATS => {
                    repeats += 1;
                    let named = answer.field("retry-after").and_then(|text| text.parse().ok());
                    sleep(named.map_or(PAUSE, |seconds: u8| Duration::from_secs(seconds.into())))
                        .await;
                }
                Ok(problem) => return Err(Error::Refused(Box::new(problem))),
                Err(_) => return Err(self.foreign(&answer)),
            }
        }
    }

    /// Signs a call and sends it, each time with another nonce.
    async fn send(&self, method: &Method, path: &str, body: Bytes) -> Result<Answer, Error> {
        let (real_path, query) = path.split_once('?').unwrap_or((path, ""));
        let outgoing = Outgoing {
            method,
            path: real_path,
            query,
            host: &self.authority,
            content: &body,
            time: SystemClock.now(),
        };
        let nonce = entropy::nonce().map_err(|_| Error::Random)?;
        let mut request = ::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.endpoint))
            .header(header::HOST, &self.authority);
        let Keys { secret_id, secret_key } = &self.keys;
        for (name, value) in outgoing.sign_whole(secret_id, secret_key, nonce) {
            request = request.header(name, value);
        }
        let answer = self.connection.send(request, body, PATIENCE).await;
        answer.map_err(|cause| self.unreachable(cause))
    }

    fn read<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T, Error> {
        serde_json::from_slice(&answer.body).map_err(|error| {
            tracing::debug!(%error, "answer does not have the form expected");
            self.foreign(answer)
        })
    }

    fn foreign(&self, answer: &Answer) -> Error {
        Error::Foreign { endpoint: self.endpoint.clone(), status: answer.status.as_u16() }
    }

    fn unreachable(&self, cause: http::Error) -> Error {
        Error::Unreachable { endpoint: self.endpoint.clone(), cause }
    }
}

#[cfg(test)]
mod tests;
