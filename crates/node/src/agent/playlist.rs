//! Looking into what may name further targets: playlists and other manifests.
//!
//! What was fetched is looked into, whether it may be kept or not. Where a playlist was to be
//! followed and cannot be read, that is the item's outcome: nobody knows then what is missing.

use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::BodyExt;
use stoker_domain::{
    http::StoredResponse,
    job::JobItem,
    media::{self, Manifest, Named},
    outcome::{Outcome, PlaylistFault, Uncacheable},
    target::Target,
};

use super::coding;
use crate::{
    fill::{Body, FillHead},
    store::Stored,
};

/// Bytes that are read from the store at once.
const READ: usize = 256 << 10;
/// Characters of a media type that are told.
const TYPE: usize = 60;

/// Why it is not known what is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unread {
    /// What becomes of the item, if nothing worse does.
    pub(super) outcome: Outcome,
    /// Why, for a person.
    pub(super) detail: String,
}

/// What the stored response of `item` names.
pub(super) async fn of_stored(
    item: &JobItem,
    target: &Target,
    stored: &Stored,
) -> Result<Named, Unread> {
    let Some(response) = StoredResponse::decode(stored.head()) else {
        return Err(unreadable("the stored head cannot be read"));
    };
    let Some(manifest) = manifest(item, target, &response.fields) else {
        return Ok(Named::default());
    };
    let size = stored.size().unwrap_or(0);
    let mut content = Vec::new();
    while (content.len() as u64) < size && content.len() <= media::MAX_BYTES && is_read(manifest) {
        let chunk = stored.read(content.len() as u64, READ).await;
        // read again later, it may be there
        let chunk = chunk.map_err(|error| Unread {
            outcome: Outcome::Uncacheable(Uncacheable::DiskError),
            detail: error.to_string(),
        })?;
        if chunk.is_empty() {
            return Err(unreadable("the stored content ends early"));
        }
        content.extend_from_slice(&chunk);
    }
    named(item, manifest, &response.fields, content)
}

/// What a response that is not kept names; and the bytes of its content that came.
pub(super) async fn of_passing(
    item: &JobItem,
    target: &Target,
    head: &FillHead,
    mut body: Body,
) -> (Result<Named, Unread>, u64) {
    let fields = &head.response.fields;
    let Some(manifest) = manifest(item, target, fields) else {
        return (Ok(Named::default()), 0);
    };
    let mut content: Vec<u8> = Vec::new();
    while content.len() <= media::MAX_BYTES
        && is_read(manifest)
        && let Some(frame) = body.frame().await
    {
        match frame {
            Ok(frame) => content.extend(frame.into_data().unwrap_or_else(|_| Bytes::new())),
            Err(fault) => {
                let came = content.len() as u64;
                let (outcome, detail) = (fault.outcome(), fault.detail().to_owned());
                return (Err(Unread { outcome, detail }), came);
            }
        }
    }
    let came = content.len() as u64;
    (named(item, manifest, fields, content), came)
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

fn named(
    item: &JobItem,
    manifest: Manifest,
    fields: &HeaderMap,
    content: Vec<u8>,
) -> Result<Named, Unread> {
    if manifest == Manifest::Dash {
        return Ok(media::dash(&item.url));
    }
    if content.len() > media::MAX_BYTES {
        return Err(unread(media::Error::TooLong(content.len()), None));
    }
    let content = coding::decode(fields, content, media::MAX_BYTES).map_err(|error| Unread {
        outcome: Outcome::Playlist(match error {
            coding::Error::Unknown(_) | coding::Error::Broken(_) => PlaylistFault::ContentCoding,
            coding::Error::TooLong(_) => PlaylistFault::TooLong,
        }),
        detail: error.to_string(),
    })?;
    media::read(&item.url, &content).map_err(|error| unread(error, media_type(fields)))
}

fn unread(error: media::Error, media_type: Option<String>) -> Unread {
    let detail = match (error, media_type) {
        (media::Error::NotAPlaylist, Some(media_type)) => {
            let media_type: String = media_type.escape_debug().take(TYPE).collect();
            format!("{error}: its type is {media_type}")
        }
        _ => error.to_string(),
    };
    Unread { outcome: error.outcome(), detail }
}

fn unreadable(detail: &str) -> Unread {
    Unread { outcome: Outcome::Playlist(PlaylistFault::Unreadable), detail: detail.into() }
}

fn media_type(fields: &HeaderMap) -> Option<String> {
    let value = fields.get(header::CONTENT_TYPE)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}
