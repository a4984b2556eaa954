//! Reading the content of a request: bounded in size and time.
//!
//! Used for every call that may carry content; never looks into it.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::time::timeout;

/// A client that needs longer to send its content is given up.
const LONGEST: Duration = Duration::from_secs(60);

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
    #[error("the content did not arrive within {} seconds", LONGEST.as_secs())]
    Slow,
}

/// Reads the whole content. What is over `limit` is read too, up to as much again, and dropped, so
/// that the client gets to read the answer instead of a reset connection.
pub(crate) async fn read(body: Body, limit: usize) -> Result<Bytes, Error> {
    timeout(LONGEST, collect(body, limit)).await.unwrap_or(Err(Error::Slow))
}

/// Reads and drops content, up to `limit` bytes.
pub(crate) async fn discard(body: Body, limit: usize) {
    let mut rest = limit;
    let drained = timeout(LONGEST, drain(body, &mut rest)).await;
    tracing::trace!(is_complete = drained.is_ok(), "content dropped");
}

async fn collect(mut body: Body, limit: usize) -> Result<Bytes, Error> {
    let mut content = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Error::Broken)?.into_data() else { continue };
        if content.len() + data.len() > limit {
            drop(content);
            let mut rest = limit;
            drain(body, &mut rest).await;
            return Err(Error::TooLarge { limit });
        }
        content.extend_from_slice(&data);
    }
    Ok(content.freeze())
}

async fn drain(mut body: Body, rest: &mut usize) {
    while let Some(Ok(frame)) = body.frame().await {
        let Ok(data) = frame.into_data() else { continue };
        match rest.checked_sub(data.len()) {
            Some(left) => *rest = left,
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn content_is_taken_up_to_the_limit_and_not_beyond() {
        assert_eq!(read(Body::from("12345"), 5).await, Ok(Bytes::from("12345")));
        assert_eq!(read(Body::from("123456"), 5).await, Err(Error::TooLarge { limit: 5 }));
        assert_eq!(read(Body::empty(), 0).await, Ok(Bytes::new()));
    }
}
