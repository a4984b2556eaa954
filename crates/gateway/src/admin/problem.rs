//! Every way in which an admin call fails, and the problem document for it (RFC 9457): one match,
//! pinned by a snapshot.
//!
//! The log gets the cause; the caller gets the detail and a hint. URLs never reach the log.

use axum::body::Body;
use http::{HeaderValue, Response, StatusCode, header};
use stoker_domain::domain::OriginError;
use stoker_engine::{
    ControlError, DomainError, Error as EngineError, ErrorKind, IdentityError, IdentityKind,
    OwnershipError, RetryError, SubmitError, ZoneError, with_causes,
};

use super::{
    api::Problem,
    invalid::{ContentError, QueryError},
};
use crate::{
    auth::{account::NotActive, admin as signature, replay, signed},
    content,
    frame::Failure,
    request_fields,
};

/// Why an admin call was refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The caller is refused.
    #[error(transparent)]
    Signed(#[from] signed::Error),
    /// Signed, but not as a call of the admin API.
    #[error(transparent)]
    Signature(#[from] signature::Error),
    /// Not taken: repeated, or one of too many.
    #[error(transparent)]
    Replay(#[from] replay::Error),
    /// Signed for another service.
    #[error("the credential scope must name the service `admin`")]
    Service,
    /// Signed by a sub-user, or with a temporary key.
    #[error("only a permanent key of the root user of account `{0}` can do this")]
    RootKey(String),
    /// No such page, or not by this method.
    #[error("there is no such resource here")]
    Page,
    /// The resource takes another method.
    #[error("the resource does not take this method")]
    Method,
    /// The content is not what the call takes.
    #[error("the content is not what this call takes: {0}")]
    Content(#[from] ContentError),
    /// The query is not what the call takes.
    #[error("the query is not what this call takes: {0}")]
    Query(#[from] QueryError),
    /// Not an origin.
    #[error(transparent)]
    Origin(#[from] OriginError),
    /// The domain cannot be added, shown or removed.
    #[error(transparent)]
    Domain(#[from] DomainError),
    /// The zone cannot be added, shown or removed.
    #[error(transparent)]
    Zone(#[from] ZoneError),
    /// The account, user, group, key or policy cannot be added, shown, changed or removed.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The account is not active.
    #[error(transparent)]
    NotActive(#[from] NotActive),
    /// Only the owner of the installation may do that.
    #[error("only the account that owns this installation may do that")]
    NotOwner,
    /// Only the owner of the installation may let an origin be at a private address.
    #[error("only the account that owns this installation may allow a private origin")]
    PrivateOrigin,
    /// The address of an origin is private, and the domain does not allow that.
    #[error("the origin `{0}` has a private address")]
    PrivateAddress(String),
    /// There is no account with this number.
    #[error("there is no account `{0}`")]
    Account(String),
    /// The account has no such task.
    #[error("task `{0}` is not in this account")]
    Task(String),
    /// The account has no such purge.
    #[error("purge `{0}` is not in this account")]
    Purge(String),
    /// No areas were named, and the domains of the URLs are served in different ones.
    #[error("domains `{0}` and `{1}` are served in different areas")]
    Areas(String, String),
    /// A request field of a task is refused.
    #[error(transparent)]
    Fields(#[from] request_fields::Error),
    /// It is not proved that a host is the account's own.
    #[error(transparent)]
    Ownership(#[from] OwnershipError),
    /// The engine refused the task.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// The state of a task cannot be changed so.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// What failed of a task cannot be tried again.
    #[error(transparent)]
    Retry(#[from] RetryError),
    /// The ledger did not answer.
    #[error("the ledger does not answer")]
    Ledger(#[from] EngineError),
}

/// The text for a ledger whose trouble is not known.
const SILENT: &str = "the ledger does not answer";

/// What is always the same for one kind of problem.
struct Kind(StatusCode, &'static str, &'static str);

impl Error {
    /// Whether the same call may be taken later, because of the memory that it takes now.
    fn is_busy(&self) -> bool {
        matches!(self, Self::Signed(signed::Error::Content(error)) if error.is_busy())
    }

    /// The problem document.
    pub(crate) fn document(&self, request_id: &str) -> Problem {
        let Kind(status, word, title) = self.kind();
        let (detail, hint) = match self.ledger_error().and_then(|error| error.kind.trouble()) {
            Some((what, way_out)) => {
                let detail = self.detail();
                let is_all = detail == SILENT;
                let detail = if is_all { what.into() } else { format!("{detail}: {what}") };
                (detail, Some(way_out.into()))
            }
            None => (self.detail(), self.hint()),
        };
        Problem {
            kind: format!("urn:stoker:problem:{word}"),
            title: title.into(),
            status: status.as_u16(),
            detail,
            hint,
            request_id: request_id.into(),
        }
    }

    /// The error of the ledger, if it is what failed.
    fn ledger_error(&self) -> Option<&EngineError> {
        match self {
            Self::Ledger(error)
            | Self::Replay(replay::Error::Ledger(error))
            | Self::Signed(signed::Error::Ledger(error))
            | Self::Identity(IdentityError::Ledger(error))
            | Self::Submit(SubmitError::Ledger(error))
            | Self::Control(ControlError::Ledger { error, .. })
            | Self::Retry(RetryError::Refused(SubmitError::Ledger(error)))
            | Self::Zone(ZoneError::Ledger { source: error, .. })
            | Self::Ownership(OwnershipError::Ledger(error))
            | Self::Domain(
                DomainError::Ledger { source: error, .. }
                | DomainError::Zone(ZoneError::Ledger { source: error, .. }),
            ) => Some(error),
            _ => None,
        }
    }

    /// The reply.
    pub(crate) fn reply(&self, request_id: &str) -> Response<Body> {
        let document = self.document(request_id);
        let text = serde_json::to_string(&document).expect("a problem is plain data");
        let mut response = Response::new(Body::from(text));
        *response.status_mut() = self.kind().0;
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        let is_often = matches!(self, Self::Replay(replay::Error::TooOften(_)));
        if is_often || self.is_busy() { content::with_retry_after(response) } else { response }
    }

    fn detail(&self) -> String {
        match self {
            Self::Signed(signed::Error::Authorization(error)) => error.to_string(),
            Self::Signed(signed::Error::Content(error)) => error.to_string(),
            // what is wrong with the document is the caller's to know
            Self::Identity(error @ IdentityError::InvalidPolicy { .. }) => with_causes(error),
            Self::Identity(IdentityError::Ledger(_)) => SILENT.into(),
            _ => self.to_string(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Signed(error) => signed_hint(error).map(Into::into),
            Self::Signature(error) => Some(signature_hint(*error).into()),
            Self::Replay(error) => Some(replay_hint(error).into()),
            Self::Service => Some("sign with the service `admin` in the credential scope".into()),
            Self::RootKey(_) => Some("policies do not apply here; sign with a root key".into()),
            Self::Origin(_) => Some("for example `http://origin.example.com:8080/base`".into()),
            Self::Domain(error) => error.hint(),
            Self::Zone(error) => error.hint(),
            Self::Ownership(error) => error.hint(),
            Self::Identity(IdentityError::Ledger(_)) | Self::Ledger(_) => {
                Some("try again; the server's log names the cause".into())
            }
            Self::Identity(error) => error.hint(),
            Self::NotActive(_) => {
                Some("ask the owner of the installation to run `stoker account resume UIN`".into())
            }
            Self::NotOwner => Some("use the key of `credentials.json`".into()),
            Self::PrivateOrigin => Some(
                "ask it to run `stoker domain set HOST --allow-private-origin --account UIN`"
                    .into(),
            ),
            Self::PrivateAddress(_) => Some("to allow it, add `--allow-private-origin`".into()),
            Self::Account(_) => Some("use the account number, 12 digits".into()),
            Self::Task(_) => Some("`stoker task list` shows what there is".into()),
            Self::Purge(_) => Some("`stoker purge list` shows what there is".into()),
            Self::Areas(..) => Some("name the areas, or submit the domains one by one".into()),
            Self::Submit(error) => error.hint(),
            Self::Control(error) => error.hint(),
            Self::Retry(error) => error.hint(),
            Self::Page | Self::Method | Self::Content(_) | Self::Query(_) | Self::Fields(_) => None,
        }
    }

    fn kind(&self) -> Kind {
        if let Some(error) = self.ledger_error() {
            return ledger_kind(error.kind);
        }
        match self {
            Self::Signed(error) => signed_kind(error),
            Self::Signature(error) => signature_kind(*error),
            Self::Replay(replay::Error::Taken) => {
                Kind(StatusCode::UNAUTHORIZED, "nonce-taken", "nonce taken")
            }
            Self::Replay(replay::Error::TooOften(_)) => {
                Kind(StatusCode::TOO_MANY_REQUESTS, "too-often", "too many calls")
            }
            Self::Replay(replay::Error::Ledger(_)) => unavailable(),
            Self::Service => Kind(StatusCode::FORBIDDEN, "wrong-service", "wrong service"),
            Self::RootKey(_) => Kind(StatusCode::FORBIDDEN, "root-key-needed", "root key needed"),
            Self::Page => Kind(StatusCode::NOT_FOUND, "no-such-page", "no such page"),
            Self::Method => Kind(StatusCode::METHOD_NOT_ALLOWED, "wrong-method", "wrong method"),
            Self::Content(_) => Kind(StatusCode::BAD_REQUEST, "bad-content", "bad content"),
            Self::Query(_) => Kind(StatusCode::BAD_REQUEST, "bad-query", "bad query"),
            Self::PrivateAddress(_) => {
                Kind(StatusCode::BAD_REQUEST, "private-origin", "private origin")
            }
            Self::Origin(_) => Kind(StatusCode::BAD_REQUEST, "bad-origin", "bad origin"),
            Self::Domain(error) => match error {
                DomainError::Port { .. } => {
                    Kind(StatusCode::BAD_REQUEST, "guarded-port", "guarded port")
                }
                DomainError::InvalidHost { .. } => {
                    Kind(StatusCode::BAD_REQUEST, "bad-host", "bad host")
                }
                DomainError::Exists { .. } => {
                    Kind(StatusCode::CONFLICT, "domain-exists", "domain exists")
                }
                DomainError::TooMany { .. } => too_many(),
                DomainError::Taken { .. } => Kind(StatusCode::CONFLICT, "host-taken", "host taken"),
                DomainError::Related { .. } => {
                    Kind(StatusCode::CONFLICT, "host-related", "host above or below another's")
                }
                DomainError::Unclaimable { .. } => unclaimable(),
                DomainError::Unverified { .. } => not_verified(),
                DomainError::Unknown { .. } => domain_unknown(),
                DomainError::Locked { .. } => domain_locked(),
                DomainError::Zone(error) => zone_kind(error),
                DomainError::Ledger { .. } => unavailable(),
            },
            Self::Zone(error) => zone_kind(error),
            Self::Ownership(error) => ownership_kind(error),
            Self::Identity(error) => identity_kind(error),
            Self::NotActive(NotActive::Suspended) => {
                Kind(StatusCode::FORBIDDEN, "account-suspended", "account suspended")
            }
            Self::NotActive(NotActive::AwaitingApproval) => {
                Kind(StatusCode::FORBIDDEN, "approval-awaited", "approval awaited")
            }
            Self::NotOwner | Self::PrivateOrigin => {
                Kind(StatusCode::FORBIDDEN, "not-owner", "not the owner")
            }
            Self::Account(_) => Kind(StatusCode::NOT_FOUND, "account-unknown", "unknown account"),
            Self::Task(_) => task_unknown(),
            Self::Purge(_) => Kind(StatusCode::NOT_FOUND, "purge-unknown", "unknown purge"),
            Self::Areas(..) => Kind(StatusCode::BAD_REQUEST, "areas-differ", "areas differ"),
            Self::Fields(_) => {
                Kind(StatusCode::BAD_REQUEST, "bad-request-header", "bad request header")
            }
            Self::Submit(error) => submit_kind(error),
            Self::Control(error) => match error {
                ControlError::Unknown { .. } => task_unknown(),
                ControlError::Over { .. } => Kind(StatusCode::CONFLICT, "task-over", "task over"),
                ControlError::Ledger { .. } => unavailable(),
            },
            Self::Retry(error) => retry_kind(error),
            Self::Ledger(_) => unavailable(),
        }
    }
}

impl Failure for Error {
    fn label(&self) -> &'static str {
        self.kind().1
    }

    fn for_log(&self) -> String {
        match self {
            Self::Submit(error) | Self::Retry(RetryError::Refused(error)) => error.for_log(),
            // who mistakes the halves of a key names the secret one
            Self::Identity(IdentityError::Unknown { kind: IdentityKind::Key, .. }) => {
                self.kind().2.into()
            }
            Self::Content(_) | Self::Query(_) => self.kind().2.into(),
            _ => with_causes(self),
        }
    }

    fn is_internal(&self) -> bool {
        self.kind().0.is_server_error() && !self.is_busy()
    }
}

const fn zone_kind(error: &ZoneError) -> Kind {
    match error {
        ZoneError::InvalidName { .. } => Kind(StatusCode::BAD_REQUEST, "bad-zone", "bad zone"),
        ZoneError::Exists { .. } => Kind(StatusCode::CONFLICT, "zone-exists", "zone exists"),
        ZoneError::TooMany { .. } => too_many(),
        ZoneError::Related { .. } => {
            Kind(StatusCode::CONFLICT, "zone-related", "zone meets another's hosts")
        }
        ZoneError::Unknown { .. } => Kind(StatusCode::NOT_FOUND, "zone-unknown", "unknown zone"),
        ZoneError::InUse { .. } => Kind(StatusCode::CONFLICT, "zone-in-use", "zone in use"),
        ZoneError::Ledger { .. } => unavailable(),
    }
}

const fn identity_kind(error: &IdentityError) -> Kind {
    use IdentityError as E;
    match error {
        E::InvalidName { .. } => Kind(StatusCode::BAD_REQUEST, "bad-name", "bad name"),
        E::Exists { .. } => Kind(StatusCode::CONFLICT, "name-taken", "name taken"),
        E::Unknown { kind, .. } => match kind {
            IdentityKind::Account => {
                Kind(StatusCode::NOT_FOUND, "account-unknown", "unknown account")
            }
            IdentityKind::User => Kind(StatusCode::NOT_FOUND, "user-unknown", "unknown user"),
            IdentityKind::Group => Kind(StatusCode::NOT_FOUND, "group-unknown", "unknown group"),
            IdentityKind::Policy => Kind(StatusCode::NOT_FOUND, "policy-unknown", "unknown policy"),
            IdentityKind::Key => Kind(StatusCode::NOT_FOUND, "no-such-key", "no such key"),
        },
        E::TooMany { .. } => too_many(),
        E::Attached { .. } => Kind(StatusCode::CONFLICT, "policy-attached", "policy attached"),
        E::InvalidPolicy { .. } | E::PolicyTooLong { .. } => {
            Kind(StatusCode::BAD_REQUEST, "bad-policy", "bad policy")
        }
        E::Lifetime { .. } => Kind(StatusCode::BAD_REQUEST, "bad-lifetime", "bad lifetime"),
        E::Temporary { .. } => Kind(StatusCode::CONFLICT, "key-temporary", "temporary key"),
        E::Owner { .. } => Kind(StatusCode::CONFLICT, "account-owns", "account owns all"),
        E::Ledger(_) => unavailable(),
    }
}

fn signed_kind(error: &signed::Error) -> Kind {
    use signed::Error as E;
    let unauthorized = |word, title| Kind(StatusCode::UNAUTHORIZED, word, title);
    match error {
        E::Unsigned => unauthorized("unsigned", "not signed"),
        E::Authorization(_) => unauthorized("bad-authorization", "malformed authorization"),
        E::SecretId => unauthorized("key-unknown", "unknown key"),
        E::NoTimestamp | E::Timestamp => unauthorized("bad-timestamp", "bad timestamp"),
        E::Expired => unauthorized("expired", "signature expired"),
        E::Signature => unauthorized("bad-signature", "wrong signature"),
        E::Token(_) => unauthorized("bad-token", "wrong token"),
        E::Content(content::Error::TooLarge { .. }) => {
            Kind(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "content too large")
        }
        E::Content(content::Error::Broken | content::Error::Slow) => {
            Kind(StatusCode::BAD_REQUEST, "bad-content", "bad content")
        }
        E::Content(content::Error::Full(_) | content::Error::Suspect) => {
            Kind(StatusCode::SERVICE_UNAVAILABLE, "busy", "busy")
        }
        E::Ledger(_) => unavailable(),
    }
}

fn signed_hint(error: &signed::Error) -> Option<&'static str> {
    use signed::Error as E;
    match error {
        E::Unsigned | E::Authorization(_) | E::NoTimestamp | E::Timestamp => {
            Some("sign with TC3-HMAC-SHA256, as the `stoker` command does")
        }
        E::SecretId | E::Signature => {
            Some("use the SecretId and SecretKey of `credentials.json` in the data directory")
        }
        E::Token(_) => Some("send the token of the temporary key as `X-TC-Token`"),
        E::Expired => Some("correct the clock of this machine"),
        E::Content(content::Error::TooLarge { .. }) => Some("split it into several calls"),
        E::Content(error) if error.is_busy() => Some("try again in a moment"),
        E::Content(_) => None,
        E::Ledger(_) => Some("try again; the server's log names the cause"),
    }
}

const fn signature_kind(error: signature::Error) -> Kind {
    use signature::Error as E;
    let (word, title) = match error {
        E::NoNonce => ("no-nonce", "no nonce"),
        E::Nonce => ("bad-nonce", "bad nonce"),
        E::NoHash => ("no-content-hash", "no hash of the content"),
        E::Unsigned => ("unsigned-payload", "content not signed"),
        E::Hash => ("bad-content-hash", "bad hash of the content"),
        E::Fields => ("doubled-header", "doubled header field"),
        E::Content => ("content-differs", "other content"),
    };
    Kind(StatusCode::UNAUTHORIZED, word, title)
}

const fn signature_hint(error: signature::Error) -> &'static str {
    use signature::Error as E;
    match error {
        E::NoNonce | E::NoHash => {
            "sign `content-type;host;stoker-nonce;x-tc-content-sha256`; older clients do not"
        }
        E::Nonce => "send 128 random bits, different in every call",
        E::Unsigned | E::Hash => {
            "send the SHA-256 of the content as `X-TC-Content-SHA256`, also for empty content"
        }
        E::Fields => "send each header field once, and sign only fields that are sent",
        E::Content => "check whether a proxy changes the content",
    }
}

const fn replay_hint(error: &replay::Error) -> &'static str {
    match error {
        replay::Error::Taken => "sign each call with a new nonce; this call changed nothing",
        replay::Error::TooOften(_) => "repeat the call after `Retry-After`, with a new nonce",
        replay::Error::Ledger(_) => "try again; the server's log names the cause",
    }
}

fn submit_kind(error: &SubmitError) -> Kind {
    use SubmitError as E;
    match error {
        E::NoUrls => Kind(StatusCode::BAD_REQUEST, "no-urls", "no URLs"),
        E::TooManyUrls { .. } => Kind(StatusCode::BAD_REQUEST, "too-many-urls", "too many URLs"),
        E::Url { .. } => Kind(StatusCode::BAD_REQUEST, "bad-url", "bad URL"),
        E::DomainUnknown { .. } | E::OtherZone { .. } => domain_unknown(),
        E::DomainOffline { .. } => Kind(StatusCode::CONFLICT, "domain-offline", "domain offline"),
        E::DomainLocked { .. } => domain_locked(),
        E::FeatureDisabled { .. } => {
            Kind(StatusCode::FORBIDDEN, "feature-closed", "feature closed")
        }
        E::AreaNotEnabled { .. } => {
            Kind(StatusCode::CONFLICT, "area-not-enabled", "area not enabled")
        }
        E::OverQuota { .. } => Kind(StatusCode::TOO_MANY_REQUESTS, "over-quota", "over quota"),
        E::NoNode { .. } => Kind(StatusCode::SERVICE_UNAVAILABLE, "no-node", "no node"),
        E::Ledger(_) => unavailable(),
    }
}

fn retry_kind(error: &RetryError) -> Kind {
    match error {
        RetryError::Unknown { .. } => task_unknown(),
        RetryError::Unfinished { .. } => {
            Kind(StatusCode::CONFLICT, "task-unfinished", "task not finished")
        }
        RetryError::NothingFailed { .. } => {
            Kind(StatusCode::CONFLICT, "nothing-failed", "nothing failed")
        }
        RetryError::FieldsGone { .. } => {
            Kind(StatusCode::CONFLICT, "request-headers-gone", "request headers not kept")
        }
        RetryError::Refused(error) => submit_kind(error),
    }
}

const fn task_unknown() -> Kind {
    Kind(StatusCode::NOT_FOUND, "task-unknown", "unknown task")
}

const fn too_many() -> Kind {
    Kind(StatusCode::CONFLICT, "too-many", "too many")
}

const fn ownership_kind(error: &OwnershipError) -> Kind {
    use OwnershipError as E;
    match error {
        E::InvalidHost { .. } => Kind(StatusCode::BAD_REQUEST, "bad-host", "bad host"),
        E::Unclaimable { .. } => unclaimable(),
        E::NoFile { .. } => Kind(StatusCode::BAD_REQUEST, "no-file", "no file of a wildcard"),
        E::NoRecord { .. } => Kind(StatusCode::CONFLICT, "no-record", "no record to look for"),
        E::ProofNotFound { .. } => not_verified(),
        E::TooMany { .. } => Kind(StatusCode::CONFLICT, "too-many", "too many"),
        E::TooOften { .. } | E::Busy => {
            Kind(StatusCode::TOO_MANY_REQUESTS, "verified-too-often", "verified too often")
        }
        E::Ledger(_) => unavailable(),
    }
}

const fn unclaimable() -> Kind {
    Kind(StatusCode::FORBIDDEN, "host-unclaimable", "host that cannot be claimed")
}

const fn not_verified() -> Kind {
    Kind(StatusCode::FORBIDDEN, "not-verified", "ownership not verified")
}

const fn domain_locked() -> Kind {
    Kind(StatusCode::CONFLICT, "domain-locked", "domain locked")
}

const fn domain_unknown() -> Kind {
    Kind(StatusCode::NOT_FOUND, "domain-unknown", "unknown domain")
}

/// One that is damaged does not mend itself; the others may.
const fn ledger_kind(kind: ErrorKind) -> Kind {
    match kind {
        ErrorKind::Full => Kind(StatusCode::SERVICE_UNAVAILABLE, "ledger-full", "disk full"),
        ErrorKind::ReadOnly => {
            Kind(StatusCode::SERVICE_UNAVAILABLE, "ledger-read-only", "ledger read-only")
        }
        ErrorKind::Corrupt => {
            Kind(StatusCode::INTERNAL_SERVER_ERROR, "ledger-damaged", "ledger damaged")
        }
        ErrorKind::Unavailable | ErrorKind::Refused => unavailable(),
    }
}

const fn unavailable() -> Kind {
    Kind(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "unavailable")
}

#[cfg(test)]
#[path = "problem/tests.rs"]
mod tests;
