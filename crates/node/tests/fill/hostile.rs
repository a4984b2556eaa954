//! Origins that lie, change their mind or never end, and disks that fill up.

use std::{
    io::{self, IoSlice},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use http_body_util::BodyExt;
use stoker_domain::{
    outcome::{OriginFault, Outcome, Uncacheable},
    task::FetchOptions,
};
use stoker_node::{
    request::{Intent, Want},
    store::{Disk, DiskFile, Files},
};
use stoker_testkit::{Script, content};

use crate::fixture::{Fixture, SLICE};

#[tokio::test]
async fn a_representation_that_changes_between_slices_is_never_mixed() {
    let fixture = Fixture::new().await;
    let (old, new) = (content(40 * SLICE, 31), content(40 * SLICE, 32));
    fixture
        .origin
        .on("/x", Script::new(old.clone()).etag("\"a\"").changes(1, new.clone(), "\"b\""));
    let viewer = fixture.read("/x", Intent::Demand(Want::All)).await;
    let prefetch = fixture.read("/x", Intent::Prefetch).await;
    let viewer = stoker_testkit::spawn(async move {
        let mut viewer = viewer;
        let etag = viewer.head().await.unwrap().response.etag().unwrap().clone();
        let mut body = viewer.body(None);
        let mut got = Vec::new();
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) => got.extend_from_slice(&frame.into_data().unwrap()),
                Err(fault) => return (etag, got, Some(fault)),
            }
        }
        (etag, got, None)
    });
    let filled = prefetch.durable().await;
    assert_eq!(filled.outcome, Outcome::Filled, "{:?}", filled.detail);
    assert_eq!(filled.validator.as_deref(), Some("\"b\""));
    assert!(fixture.content_of("/x").await == new);
    let (etag, got, fault) = viewer.await.unwrap();
    if etag == "\"a\"" {
        assert!(old.starts_with(&got), "only bytes of the head that was shown");
        let fault = fault.expect("the rest of the old one does not exist any more");
        assert_eq!(fault.outcome(), Outcome::OriginError(OriginFault::Changed));
    } else {
        assert!(fault.is_none() && new == got);
    }
}

#[tokio::test]
async fn one_whose_tag_never_keeps_still_is_taken_whole() {
    let fixture = Fixture::new().await;
    let bytes = content(20 * SLICE, 33);
    fixture.origin.on("/x", Script::new(bytes.clone()).restless());
    let filled = fixture.prefetch("/x").await;
    assert_eq!(filled.outcome, Outcome::Filled, "{:?}", filled.detail);
    assert!(fixture.content_of("/x").await == bytes);
    let statuses: Vec<_> = fixture.origin.requests().iter().map(|seen| seen.status).collect();
    assert_eq!(statuses, [206, 200], "the reply to If-Range is the whole");
}

#[tokio::test]
async fn one_that_always_breaks_off_is_given_up() {
    let fixture = Fixture::new().await;
    fixture.origin.on("/v", Script::new(content(3 * SLICE, 34)).etag("\"a\"").cut(99, 1000));
    fixture.origin.on("/n", Script::new(content(3 * SLICE, 34)).without_ranges().cut(99, 1000));
    for path in ["/v", "/n"] {
        let filled = fixture.prefetch(path).await;
        assert_eq!(filled.outcome, Outcome::OriginError(OriginFault::Truncated), "{path}");
        assert_eq!(fixture.origin.requests_for(path).len(), 4, "{path}: one and three retries");
    }
}

#[tokio::test]
async fn a_wrong_length_is_not_success() {
    let fixture = Fixture::new().await;
    let script = Script::new(content(90_000, 35)).wrong_length(10);
    fixture.origin.on("/no-validator", script.clone().without_ranges());
    fixture.origin.on("/ranges", script.clone().etag("\"a\""));
    fixture.origin.on("/whole", script.etag("\"a\"").without_ranges());
    for path in ["/no-validator", "/ranges", "/whole"] {
        let filled = fixture.prefetch(path).await;
        let Outcome::OriginError(fault) = filled.outcome else { panic!("{path} {filled:?}") };
        assert_ne!(fault, OriginFault::Connect, "{path}");
        let stored = fixture.stored(path).await;
        assert!(stored.is_none_or(|stored| !stored.is_complete()), "{path}");
    }
}

#[tokio::test]
async fn an_endless_body_is_too_large_but_streams_to_its_viewer() {
    let fixture = Fixture::with(16 << 20, |dir| Arc::new(Files::new(dir.path()))).await;
    let piece = content(1 << 16, 36);
    fixture.origin.on("/x", Script::endless(piece.clone()));
    let filled = fixture.prefetch("/x").await;
    assert_eq!(filled.outcome, Outcome::TooLarge);
    let limit = fixture.store.largest();
    assert!(filled.pulled_bytes < 2 * limit + 4 * SLICE as u64, "{}", filled.pulled_bytes);

    let mut viewer = fixture.read("/x", Intent::Demand(Want::All)).await;
    viewer.head().await.unwrap();
    let mut body = viewer.body(None);
    let mut got = 0;
    while got < 2 * limit {
        let chunk = body.frame().await.unwrap().unwrap().into_data().unwrap();
        for byte in chunk.iter().step_by(997) {
            assert!(piece.contains(byte));
        }
        let at = (got % piece.len() as u64) as usize;
        let most = chunk.len().min(piece.len() - at);
        assert_eq!(chunk[..most], piece[at..at + most], "at {got}");
        got += chunk.len() as u64;
    }
}

#[tokio::test]
async fn what_says_that_it_is_too_large_is_not_pulled_for_a_prefetch() {
    let fixture = Fixture::with(16 << 20, |dir| Arc::new(Files::new(dir.path()))).await;
    let bytes = content(fixture.store.largest() as usize + 1, 37);
    fixture.origin.on("/x", Script::new(bytes.clone()).etag("\"a\""));
    let filled = fixture.prefetch("/x").await;
    assert_eq!((filled.outcome, filled.pulled_bytes), (Outcome::TooLarge, 0));
    let (head, body) = fixture.get("/x").await.unwrap();
    assert_eq!(head.not_kept, Some(Outcome::TooLarge));
    assert!(body == bytes);
}

#[tokio::test]
async fn what_is_too_large_here_may_be_kept_behind_unless_fields_of_a_task_select_it() {
    let fixture = Fixture::with(16 << 20, |dir| Arc::new(Files::new(dir.path()))).await;
    let bytes = content(fixture.store.largest() as usize + 1, 38);
    fixture.origin.on("/x", Script::new(bytes));
    for (name, is_alone, not_kept) in [
        ("X-Token", true, Outcome::Uncacheable(Uncacheable::RequestFields)),
        // who asks seldom selects
        ("Referer", false, Outcome::TooLarge),
    ] {
        let mut request = fixture.request("/x", Intent::Demand(Want::All));
        let headers = vec![(name.into(), "t".into())];
        request.options = Arc::new(FetchOptions { headers, ..FetchOptions::default() });
        let head = fixture.fills.get_or_start(request, None).head().await.unwrap();
        assert_eq!((head.is_alone, head.not_kept), (is_alone, Some(not_kept)), "{name}");
        fixture.idle().await;
    }
}

#[tokio::test]
async fn a_full_disk_is_said_and_viewers_get_their_bytes() {
    let is_full = Arc::new(AtomicBool::new(false));
    let fixture = Fixture::with(256 << 20, |dir| {
        Arc::new(FullDisk { files: Files::new(dir.path()), is_full: Arc::clone(&is_full) })
    })
    .await;
    let bytes = content(12 * SLICE, 38);
    let small = content(10_000, 39);
    fixture.origin.on("/small", Script::new(small.clone()).etag("\"a\""));
    fixture.origin.on("/ranges", Script::new(bytes.clone()).etag("\"a\""));
    fixture.origin.on("/stream", Script::new(bytes.clone()).without_ranges());
    is_full.store(true, Ordering::SeqCst);
    for path in ["/small", "/ranges", "/stream"] {
        let filled = fixture.prefetch(path).await;
        let full = Outcome::Uncacheable(Uncacheable::DiskFull);
        assert_eq!(filled.outcome, full, "{path} {:?}", filled.detail);
        let (_, body) = fixture.get(path).await.unwrap();
        assert!(body == if path == "/small" { small.clone() } else { bytes.clone() }, "{path}");
    }
    fixture.idle().await;
    is_full.store(false, Ordering::SeqCst);
    for path in ["/small", "/ranges", "/stream"] {
        assert_eq!(fixture.prefetch(path).await.outcome, Outcome::Filled, "{path}");
    }
}

/// A disk that has no room while `is_full`.
#[derive(Debug)]
struct FullDisk {
    files: Files,
    is_full: Arc<AtomicBool>,
}

#[derive(Debug)]
struct FullFile {
    file: Arc<dyn DiskFile>,
    is_full: Arc<AtomicBool>,
}

fn room(is_full: &AtomicBool) -> io::Result<()> {
    match is_full.load(Ordering::SeqCst) {
        true => Err(io::ErrorKind::StorageFull.into()),
        false => Ok(()),
    }
}

impl FullDisk {
    fn wrap(&self, file: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        Arc::new(FullFile { file, is_full: Arc::clone(&self.is_full) })
    }
}

impl Disk for FullDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        self.files.list()
    }
    fn create(&self, name: &str, bytes: u64) -> io::Result<Arc<dyn DiskFile>> {
        room(&self.is_full)?;
        Ok(self.wrap(self.files.create(name, bytes)?))
    }
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.wrap(self.files.open(name)?))
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.files.remove(name)
    }
    fn set_aside(&self, name: &str) -> io::Result<()> {
        self.files.set_aside(name)
    }
    fn replace(&self, name: &str, content: &[u8]) -> io::Result<()> {
        self.files.replace(name, content)
    }
    fn sync_names(&self) -> io::Result<()> {
        self.files.sync_names()
    }
}

impl DiskFile for FullFile {
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }
    fn cut(&self, keep: u64, bytes: u64) -> io::Result<()> {
        self.file.cut(keep, bytes)
    }
    fn write(&self, parts: &mut [IoSlice<'_>], offset: u64) -> io::Result<()> {
        room(&self.is_full)?;
        self.file.write(parts, offset)
    }
    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }
    fn read(&self, buffer: &mut [u8], offset: u64, wait: bool) -> io::Result<usize> {
        self.file.read(buffer, offset, wait)
    }
}
