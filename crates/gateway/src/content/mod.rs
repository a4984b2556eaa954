//! Reading the content of a request: bounded in size, in time and in what all of it takes.
//!
//! Content of callers who are not verified comes out of one budget, which each address, each account
//! that is named and all who name none have a share of; content that verified callers' calls are
//! worked with comes out of another. Content up to [`FREE`] bytes, and of verified callers up to
//! [`SMALL`], needs neither: the connections that there may be bound it, and no crowd keeps a small call
//! out. Content is hashed while it arrives. Never looks into it.

mod budget;
mod trust;

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::body::{Body, HttpBody};
use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Response, header, request::Parts};
use http_body_util::BodyExt;
use sha2::{Digest, Sha256};
use stoker_domain::{account::AccountId, time::Timestamp};
use stoker_listen::Connection;
use tokio::time::timeout;

pub(crate) use self::budget::{Full, Stats, Taken};
use self::{
    budget::{Budget, Holder},
    trust::{MOST_FAILURES, Trust},
};

/// Content of an unverified caller that is read without taking anything from the budget.
const FREE: usize = 8 * 1024;

/// Content that every call may have: of a verified caller without taking anything from the budget, of
/// an unverified one also after many wrong signatures.
pub(crate) const SMALL: usize = 64 * 1024;

/// Largest content of a caller who is verified only by its hash.
pub(crate) const MOST_UNVERIFIED: usize = 10 * 1024 * 1024;

/// Largest content of a verified caller.
const MOST_VERIFIED: usize = 64 * 1024 * 1024;

/// How much of the budget a byte of a form takes: its parameters are decoded, sorted and joined before
/// its caller is verified.
const FORM_COST: usize = 3;

/// How much of the budget a byte takes that a call is worked with: what was sent and what is made
/// of it.
const WORK_COST: usize = 2;

/// What content may take of memory, and how long a caller waits for its part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentBounds {
    /// Bytes of content of callers who are not verified; at least 10 MiB, the largest content of one.
    pub unverified_bytes: usize,
    /// Bytes that are taken by verified calls with more than 64 KiB of content, twice their content
    /// each; at least 128 MiB, what the largest takes.
    pub verified_bytes: usize,
    /// How long an unverified caller waits for its part before it is asked to try again.
    pub unverified_patience: Duration,
    /// How long a verified caller waits.
    pub verified_patience: Duration,
    /// How long content may take until it is there, the waiting included.
    pub arrival: Duration,
}

impl Default for ContentBounds {
    fn default() -> Self {
        Self {
            unverified_bytes: 64 * 1024 * 1024,
            verified_bytes: 256 * 1024 * 1024,
            unverified_patience: Duration::from_secs(5),
            verified_patience: Duration::from_secs(30),
            arrival: Duration::from_secs(60),
        }
    }
}

/// Why content could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// Larger than the call takes.
    #[error("the content is larger than {limit} bytes")]
    TooLarge {
        /// Bytes that are taken.
        limit: usize,
    },
    /// The client went away or broke the framing.
    #[error("the content ended early")]
    Broken,
    /// The client was too slow.
    #[error("the content did not arrive in time")]
    Slow,
    /// It would take too much memory now.
    #[error(transparent)]
    Full(#[from] Full),
    /// The caller has sent too many wrong signatures for content of this size.
    #[error(
        "after {MOST_FAILURES} wrong signatures, content over {SMALL} bytes is refused for a minute"
    )]
    Suspect,
}

impl Error {
    /// Whether the same call may be taken later.
    pub(crate) const fn is_busy(self) -> bool {
        matches!(self, Self::Full(_) | Self::Suspect)
    }
}

/// The same answer to a call that may be taken later.
pub(crate) fn with_retry_after(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// Content that was read.
#[derive(Debug)]
pub(crate) struct Content {
    /// As sent.
    pub(crate) bytes: Bytes,
    /// SHA-256 of it.
    pub(crate) hash: [u8; 32],
    /// What it takes of a budget, if anything; to be kept for as long as it is.
    pub(crate) taken: Option<Taken>,
}

/// Who sends content, as far as that is known before the caller is verified.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sender<'a> {
    /// The address that the call came from, if the listener knows it.
    pub(crate) address: Option<IpAddr>,
    /// The key that the call names, and its account.
    pub(crate) key: Option<(&'a str, AccountId)>,
}

/// What all content that is being read has in common.
#[derive(Debug)]
pub(crate) struct Contents {
    unverified: Arc<Budget>,
    verified: Arc<Budget>,
    arrival: Duration,
    trust: Trust,
    refused_suspects: AtomicU64,
}

impl Contents {
    pub(crate) fn new(bounds: &ContentBounds) -> Self {
        let ContentBounds { unverified_bytes, verified_bytes, .. } = *bounds;
        let patience = bounds.unverified_patience;
        Self {
            unverified: Budget::new(unverified_bytes, MOST_UNVERIFIED, patience),
            verified: Budget::new(
                verified_bytes,
                WORK_COST * MOST_VERIFIED,
                bounds.verified_patience,
            ),
            arrival: bounds.arrival,
            trust: Trust::default(),
            refused_suspects: AtomicU64::new(0),
        }
    }

    /// Reads the whole content of a caller who is not verified, of at most `limit` bytes and
    /// [`MOST_UNVERIFIED`]. What is refused is read too, up to a bound, and dropped, so that the
    /// client gets to read the answer instead of a reset connection.
    pub(crate) async fn read(
        &self,
        body: Body,
        limit: usize,
        sender: &Sender<'_>,
        now: Timestamp,
    ) -> Result<Content, Error> {
        let limit = limit.min(MOST_UNVERIFIED);
        let is_suspect = self.trust.is_suspect(sender.pair(), now);
        let purse = Purse {
            budget: &self.unverified,
            holders: self.holders(sender),
            free: FREE,
            cost: if sender.key.is_some() { 1 } else { FORM_COST },
            dropped: 2 * limit,
        };
        let most = if is_suspect { limit.min(SMALL) } else { limit };
        match self.collect(body, most, purse).await {
            Err(Error::TooLarge { .. }) if most < limit => {
                self.refused_suspects.fetch_add(1, Ordering::Relaxed);
                Err(Error::Suspect)
            }
            read => read,
        }
    }

    /// Reads the whole content of a caller of `account` who is verified, of at most `limit` bytes;
    /// otherwise as [`Self::read`].
    pub(crate) async fn read_verified(
        &self,
        body: Body,
        limit: usize,
        account: AccountId,
    ) -> Result<Content, Error> {
        let purse = Purse {
            budget: &self.verified,
            holders: vec![Holder::Account(account)],
            free: SMALL,
            cost: WORK_COST,
            dropped: 2 * limit,
        };
        self.collect(body, limit, purse).await
    }

    /// Reads and drops content, up to `limit` bytes.
    pub(crate) async fn discard(&self, mut body: Body, limit: usize) {
        let drained = timeout(self.arrival, drain(&mut body, limit)).await;
        tracing::trace!(is_complete = drained.is_ok(), "content dropped");
    }

    async fn collect(
        &self,
        mut body: Body,
        limit: usize,
        purse: Purse<'_>,
    ) -> Result<Content, Error> {
        let content = timeout(self.arrival, collect(&mut body, limit, &purse)).await;
        let content = content.unwrap_or(Err(Error::Slow));
        if matches!(content, Err(Error::TooLarge { .. } | Error::Full(_))) {
            self.discard(body, purse.dropped).await;
        }
        content
    }

    /// What content of `bytes` bytes takes while a call of `account` is worked with.
    ///
    /// # Errors
    /// [`Error::Full`].
    pub(crate) async fn work(
        &self,
        account: AccountId,
        bytes: usize,
    ) -> Result<Option<Taken>, Error> {
        if bytes <= SMALL {
            return Ok(None);
        }
        let holders = [Holder::Account(account)];
        Ok(Some(self.verified.take(&holders, WORK_COST * bytes).await?))
    }

    /// Notes that the signature of `sender` was wrong.
    pub(crate) fn failed(&self, sender: &Sender<'_>, now: Timestamp) {
        self.trust.failed(sender.pair(), now);
    }

    /// Notes that the signature of `sender` was right, also for its connection.
    pub(crate) fn verified(&self, sender: &Sender<'_>, parts: &Parts) {
        self.trust.verified(sender.pair());
        if let Some(connection) = parts.extensions.get::<Connection>() {
            connection.verified();
        }
    }

    /// The shares that the content of `sender` is counted against. A caller who was verified from its
    /// address before does not share with all others who name its account.
    fn holders(&self, sender: &Sender<'_>) -> Vec<Holder> {
        let by_name = match sender.key {
            None => Some(Holder::Nameless),
            Some(_) if self.trust.is_known(sender.pair()) => None,
            Some((_, account)) => Some(Holder::Account(account)),
        };
        sender.address.map(Holder::at).into_iter().chain(by_name).collect()
    }

    /// What the budgets tell of themselves, by who they are for.
    pub(crate) fn stats(&self) -> [(&'static str, Stats); 2] {
        [("unverified", self.unverified.stats()), ("verified", self.verified.stats())]
    }

    /// Calls refused because of wrong signatures before them.
    pub(crate) fn refused_suspects(&self) -> u64 {
        self.refused_suspects.load(Ordering::Relaxed)
    }
}

impl Sender<'_> {
    fn pair(&self) -> trust::Pair<'_> {
        (self.address, self.key.map(|(secret_id, _)| secret_id))
    }
}

/// What content is paid from.
struct Purse<'a> {
    budget: &'a Arc<Budget>,
    holders: Vec<Holder>,
    /// Bytes that cost nothing.
    free: usize,
    /// Of each byte, once there are more.
    cost: usize,
    /// Bytes that are read and dropped where the content is refused.
    dropped: usize,
}

impl Purse<'_> {
    async fn pay(&self, bytes: usize) -> Result<Taken, Error> {
        Ok(self.budget.take(&self.holders, self.cost * bytes).await?)
    }
}

/// What is announced is paid for before anything is read. What is not is paid for as the most that it
/// may become, once it is more than what costs nothing.
async fn collect(body: &mut Body, limit: usize, purse: &Purse<'_>) -> Result<Content, Error> {
    let mut taken = None;
    let announced =
        body.size_hint().exact().map(|bytes| usize::try_from(bytes).unwrap_or(limit + 1));
    match announced {
        Some(bytes) if bytes > limit => return Err(Error::TooLarge { limit }),
        Some(bytes) if bytes > purse.free => taken = Some(purse.pay(bytes).await?),
        _ => {}
    }
    let mut content = BytesMut::with_capacity(announced.unwrap_or_default());
    let mut hash = Sha256::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Error::Broken)?.into_data() else { continue };
        let bytes = content.len() + data.len();
        if bytes > limit {
            return Err(Error::TooLarge { limit });
        }
        if taken.is_none() && bytes > purse.free {
            taken = Some(purse.pay(limit).await?);
        }
        hash.update(&data);
        content.extend_from_slice(&data);
    }
    if let Some(taken) = &mut taken {
        taken.shrink(purse.cost * content.len());
    }
    Ok(Content { bytes: content.freeze(), hash: hash.finalize().into(), taken })
}

/// Not even begun where the end is known to lie beyond `limit`.
async fn drain(body: &mut Body, limit: usize) {
    let mut rest = limit;
    if body.size_hint().lower() > limit as u64 {
        return;
    }
    while let Some(Ok(frame)) = body.frame().await {
        let Ok(data) = frame.into_data() else { continue };
        match rest.checked_sub(data.len()) {
            Some(left) => rest = left,
            None => return,
        }
    }
}

#[cfg(test)]
mod tests;
