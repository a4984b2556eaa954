//! Looking into what may name further targets: playlists and other manifests.
//!
//! What was fetched is looked into, whether it may be kept or not. Where a playlist was to be
//! followed and cannot be read, that is the item's outcome: nobody knows then what is missing.
//!
//! Of what is long few are read at once, so that memory is bounded. What is stored is read at the
//! pace of the disk; what passes by comes at the pace of an origin, and has turns of its own so that a
//! slow one holds up no others.

use bytes::Bytes;
use http::{HeaderMap, header};
use http_body::Body;
use http_body_util::BodyExt;
use stoker_domain::{
    job::JobItem,
    media::{self, Manifest, References},
    outcome::{Outcome, PlaylistFault, Uncacheable},
    target::Target,
};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::coding;
use crate::{fill::FillHead, origin::Fault, store::Stored};

/// Bytes that are read from the store at once.
const READ: usize = 256 << 10;
/// What is longer is read in turns.
const SHORT: usize = READ;
/// Long ones of which the content is in memory at once, of those that are stored
const STORED: usize = 1;
/// and of those that pass by.
const PASSING: usize = 2;
/// Characters of a media type that an error quotes.
const TYPE: usize = 60;

/// Why it is not known what is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unreadable {
    /// What becomes of the item, if nothing worse does.
    pub(super) outcome: Outcome,
    /// Why, for a person.
    pub(super) detail: String,
}

/// Turns to read what is long. All readers of a node share them.
#[derive(Debug)]
pub(super) struct Turns {
    stored: Semaphore,
    passing: Semaphore,
}

impl Default for Turns {
    fn default() -> Self {
        Self { stored: Semaphore::new(STORED), passing: Semaphore::new(PASSING) }
    }
}

/// Waits for one of `turns`, which is held until it is dropped.
async fn turn(turns: &Semaphore) -> Option<SemaphorePermit<'_>> {
    // never closed
    turns.acquire().await.ok()
}

/// What the stored response of `item` names.
pub(super) async fn of_stored(
    turns: &Turns,
    item: &JobItem,
    target: &Target,
    stored: &Stored,
) -> Result<References, Unreadable> {
    let Some(response) = stored.response() else {
        return Err(unreadable("the stored head cannot be read"));
    };
    let Some(manifest) = manifest(item, target, &response.fields) else {
        return Ok(References::default());
    };
    let size = stored.size().unwrap_or(0);
    let is_long = size > SHORT as u64 && is_read(manifest);
    let _turn = if is_long { turn(&turns.stored).await } else { None };
    let mut content = Vec::new();
    while (content.len() as u64) < size && content.len() <= media::MAX_BYTES && is_read(manifest) {
        let chunk = stored.read(content.len() as u64, READ).await;
        // read again later, it may be there
        let chunk = chunk.map_err(|error| Unreadable {
            outcome: Outcome::Uncacheable(Uncacheable::DiskError),
            detail: error.to_string(),
        })?;
        if chunk.is_empty() {
            return Err(unreadable("the stored content ends early"));
        }
        content.extend_from_slice(&chunk);
    }
    references(item, manifest, &response.fields, content)
}

/// What a response that is not kept names; and the bytes of its content that came.
pub(super) async fn of_passing(
    turns: &Turns,
    item: &JobItem,
    target: &Target,
    head: &FillHead,
    mut body: impl Body<Data = Bytes, Error = Fault> + Unpin,
) -> (Result<References, Unreadable>, u64) {
    let fields = &head.response.fields;
    let Some(manifest) = manifest(item, target, fields) else {
        return (Ok(References::default()), 0);
    };
    let (mut content, mut held) = (Vec::<u8>::new(), None);
    while content.len() <= media::MAX_BYTES
        && is_read(manifest)
        && let Some(frame) = body.frame().await
    {
        match frame {
            Ok(frame) => {
                content.extend(frame.into_data().unwrap_or_else(|_| Bytes::new()));
                if content.len() > SHORT && held.is_none() {
                    held = turn(&turns.passing).await;
                }
            }
            Err(fault) => {
                let came = content.len() as u64;
                let (outcome, detail) = (fault.outcome(), fault.detail().to_owned());
                return (Err(Unreadable { outcome, detail }), came);
            }
        }
    }
    let came = content.len() as u64;
    (references(item, manifest, fields, content), came)
}

/// What `item` is to be looked into as, if at all.
fn manifest(item: &JobItem, target: &Target, fields: &HeaderMap) -> Option<Manifest> {
    if item.is_named {
        return Some(Manifest::Hls);
    }
    media::manifest(&target.path_and_query, media_type(fields).as_deref())
}

fn is_read(manifest: Manifest) -> bool {
    manifest == Manifest::Hls
}

fn references(
    item: &JobItem,
    manifest: Manifest,
    fields: &HeaderMap,
    content: Vec<u8>,
) -> Result<References, Unreadable> {
    if manifest == Manifest::Dash {
        return Ok(media::dash(&item.url));
    }
    if content.len() > media::MAX_BYTES {
        return Err(unreadable_by(media::Error::TooLong(content.len()), None));
    }
    let content =
        coding::decode(fields, content, media::MAX_BYTES).map_err(|error| Unreadable {
            outcome: Outcome::Playlist(match error {
                coding::Error::Unknown(_) | coding::Error::Broken(_) => {
                    PlaylistFault::ContentCoding
                }
                coding::Error::TooLong(_) => PlaylistFault::TooLong,
            }),
            detail: error.to_string(),
        })?;
    media::read(&item.url, &content).map_err(|error| unreadable_by(error, media_type(fields)))
}

fn unreadable_by(error: media::Error, media_type: Option<String>) -> Unreadable {
    let detail = match (error, media_type) {
        (media::Error::NotAPlaylist, Some(media_type)) => {
            let media_type: String = media_type.escape_debug().take(TYPE).collect();
            format!("{error}: its type is {media_type}")
        }
        _ => error.to_string(),
    };
    Unreadable { outcome: error.outcome(), detail }
}

fn unreadable(detail: &str) -> Unreadable {
    Unreadable { outcome: Outcome::Playlist(PlaylistFault::Unreadable), detail: detail.into() }
}

fn media_type(fields: &HeaderMap) -> Option<String> {
    let value = fields.get(header::CONTENT_TYPE)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use futures_util::stream;
    use http::StatusCode;
    use http_body::Frame;
    use http_body_util::StreamBody;
    use stoker_domain::{http::StoredResponse, time::Timestamp};
    use stoker_testkit::FakeClock;
    use tokio::time::timeout;

    use super::*;
    use crate::store::{Config, Files, Store};

    /// Over at once, for the clock is paused: what has not ended by then waits for something.
    const LONG: Duration = Duration::from_secs(3600);

    fn item() -> JobItem {
        let url = "http://a.example/a.m3u8".into();
        JobItem { position: 0, url, levels: 3, is_named: true }
    }

    fn response() -> StoredResponse {
        StoredResponse {
            status: StatusCode::OK,
            fields: HeaderMap::new(),
            size: 0,
            vary: Vec::new(),
            response_time: Timestamp::from_seconds(0),
            corrected_initial_age_ms: 0,
            lifetime_ms: 0,
        }
    }

    /// A playlist of `length` bytes with one child.
    fn playlist(length: usize) -> Bytes {
        let mut text = "#EXTM3U\n1.ts\n".to_owned();
        text += &"#".repeat(length - text.len());
        text.into()
    }

    async fn passing(turns: &Turns, length: usize) -> (Result<References, Unreadable>, u64) {
        let head = FillHead {
            response: response(),
            size: None,
            not_kept: None,
            is_alone: false,
            is_revalidated: false,
            forward_status: StatusCode::OK,
            note: None,
        };
        let content = playlist(length);
        let pieces: Vec<_> = content
            .chunks(10_000)
            .map(|piece| Ok(Frame::data(Bytes::copy_from_slice(piece))))
            .collect();
        let target = Target::parse(&item().url, false).unwrap();
        of_passing(turns, &item(), &target, &head, StreamBody::new(stream::iter(pieces))).await
    }

    #[tokio::test(start_paused = true)]
    async fn of_long_playlists_that_pass_by_two_are_read_at_once_and_short_ones_do_not_wait() {
        let turns = Turns::default();
        let one = turns.passing.acquire().await.unwrap();
        assert_eq!(timeout(LONG, passing(&turns, SHORT + 1)).await.unwrap().1, SHORT as u64 + 1);
        let _two = turns.passing.acquire().await.unwrap();
        assert!(timeout(LONG, passing(&turns, SHORT + 1)).await.is_err());
        let (references, came) = timeout(LONG, passing(&turns, SHORT)).await.unwrap();
        assert_eq!((references.unwrap().children.len(), came), (1, SHORT as u64));
        drop(one);
        let (references, came) = timeout(LONG, passing(&turns, 9 * SHORT)).await.unwrap();
        assert_eq!((references.unwrap().children.len(), came), (1, 9 * SHORT as u64));
    }

    #[tokio::test(start_paused = true)]
    async fn of_long_playlists_that_are_stored_one_is_read_at_once_and_short_ones_do_not_wait() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Arc::new(Files::new(dir.path()));
        let clock = Arc::new(FakeClock::default());
        let store = Store::open(Config::new(dir.path(), 64 << 20), disk, clock).unwrap();
        let target = Target::parse(&item().url, false).unwrap();
        let mut stored = Vec::new();
        for length in [SHORT, SHORT + 1] {
            let url = format!("a.example/{length}");
            let writer = store.begin(target.key(), &url);
            let ticket = writer.whole(response().encode().into(), vec![playlist(length)]).await;
            ticket.durable().await.unwrap();
            stored.push(store.lookup(target.key(), &url).await.unwrap());
        }
        let (turns, item) = (Turns::default(), item());
        let read = |stored| timeout(LONG, of_stored(&turns, &item, &target, stored));
        let held = turns.stored.acquire().await.unwrap();
        assert!(read(&stored[1]).await.is_err());
        assert_eq!(read(&stored[0]).await.unwrap().unwrap().children.len(), 1);
        drop(held);
        assert_eq!(read(&stored[1]).await.unwrap().unwrap().children.len(), 1);
    }
}
