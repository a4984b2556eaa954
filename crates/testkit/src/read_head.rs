//! Heads of messages, for origins that a test writes by hand.

use tokio::io::{AsyncRead, AsyncReadExt};

/// Reads up to the end of a head, byte by byte; nothing when the connection ends before.
pub async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(head)
}
