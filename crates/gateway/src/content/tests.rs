//! Reading: what is taken of the budget for which content, and that it comes back.

use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use http_body::{Frame, SizeHint};

use super::*;

const NOW: Timestamp = Timestamp::from_seconds(1_700_000_040);
const KEY: Option<(&str, AccountId)> = Some(("AKID", AccountId(1)));
const NAMED: Sender<'_> = Sender { address: None, key: KEY };
const NAMELESS: Sender<'_> = Sender { address: None, key: None };
const MIB: usize = 1024 * 1024;

/// Content that comes in pieces and may never end.
struct Pieces {
    pieces: VecDeque<usize>,
    announced: Option<usize>,
    ends: bool,
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.pieces.pop_front() {
            Some(bytes) => Poll::Ready(Some(Ok(Frame::data(vec![b'x'; bytes].into())))),
            None if self.ends => Poll::Ready(None),
            None => Poll::Pending,
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.announced.map_or_else(SizeHint::default, |bytes| SizeHint::with_exact(bytes as u64))
    }
}

/// With a Content-Length.
fn announced(bytes: usize) -> Body {
    Body::from(vec![b'x'; bytes])
}

/// Without one.
fn chunked(bytes: usize) -> Body {
    let pieces = (0..bytes).step_by(4096).map(|start| 4096.min(bytes - start)).collect();
    Body::new(Pieces { pieces, announced: None, ends: true })
}

/// Begins and goes on for ever.
fn stalled(begun: usize, announced: Option<usize>) -> Body {
    Body::new(Pieces { pieces: [begun].into(), announced, ends: false })
}

fn contents() -> Contents {
    let patience = Duration::from_secs(1);
    Contents::new(&ContentBounds {
        unverified_bytes: 16 * MIB,
        verified_bytes: 0,
        unverified_patience: patience,
        verified_patience: patience,
        arrival: 60 * patience,
    })
}

/// Of a request that no listener brought.
fn parts() -> Parts {
    http::Request::new(()).into_parts().0
}

fn held(contents: &Contents) -> [usize; 2] {
    contents.stats().map(|(_, stats)| stats.held)
}

#[tokio::test(start_paused = true)]
async fn content_is_taken_up_to_the_limit_and_not_beyond() {
    let contents = contents();
    for (bytes, limit) in [(0, 0), (5, 5), (6, 5), (FREE, FREE), (FREE + 1, FREE), (MIB, MIB)] {
        for body in [announced(bytes), chunked(bytes)] {
            let read = contents.read(body, limit, &NAMED, NOW).await;
            let expected = if bytes > limit { Err(Error::TooLarge { limit }) } else { Ok(bytes) };
            assert_eq!(read.map(|content| content.bytes.len()), expected);
        }
    }
    let read = contents.read(chunked(MOST_UNVERIFIED + 1), usize::MAX / 4, &NAMED, NOW).await;
    assert_eq!(read.err(), Some(Error::TooLarge { limit: MOST_UNVERIFIED }));
    let read = contents.read_verified(chunked(MOST_VERIFIED), MOST_VERIFIED, AccountId(1)).await;
    assert_eq!(read.unwrap().bytes.len(), MOST_VERIFIED);
    assert_eq!(held(&contents), [0, 0]);
}

#[tokio::test(start_paused = true)]
async fn content_is_hashed_as_it_comes() {
    let contents = contents();
    for bytes in [0, 1, 4096, 100_000] {
        let hash: [u8; 32] = Sha256::digest(vec![b'x'; bytes]).into();
        for body in [announced(bytes), chunked(bytes)] {
            assert_eq!(contents.read(body, MIB, &NAMED, NOW).await.unwrap().hash, hash);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_content_takes_is_kept_with_it_and_given_back() {
    let contents = contents();
    for (sender, cost) in [(NAMED, 1), (NAMELESS, FORM_COST)] {
        for (bytes, taken) in [(FREE, 0), (FREE + 1, cost * (FREE + 1)), (MIB, cost * MIB)] {
            for body in [announced(bytes), chunked(bytes)] {
                let content = contents.read(body, MIB, &sender, NOW).await.unwrap();
                assert_eq!(held(&contents), [taken, 0], "{bytes} bytes of {sender:?}");
                drop(content);
                assert_eq!(held(&contents), [0, 0]);
            }
        }
    }
    for (bytes, taken) in [(SMALL, 0), (SMALL + 1, WORK_COST * (SMALL + 1))] {
        for body in [announced(bytes), chunked(bytes)] {
            let content = contents.read_verified(body, MIB, AccountId(1)).await.unwrap();
            assert_eq!(held(&contents), [0, taken]);
            drop(content);
            let work = contents.work(AccountId(1), bytes).await.unwrap();
            assert_eq!((held(&contents), work.is_some()), ([0, taken], taken > 0));
        }
    }
    assert_eq!(held(&contents), [0, 0]);
}

#[tokio::test(start_paused = true)]
async fn whoever_hangs_up_gives_back_what_he_took() {
    let contents = contents();
    for (announced, taken) in [(Some(MIB), MIB), (None, 2 * MIB)] {
        let read = contents.read(stalled(FREE + 1, announced), 2 * MIB, &NAMED, NOW);
        let mut read = Box::pin(read);
        assert!(timeout(Duration::from_secs(1), &mut read).await.is_err());
        assert_eq!(held(&contents), [taken, 0]);
        drop(read);
        assert_eq!(held(&contents), [0, 0]);
    }
    // a client that stays is disconnected, whether its content is wanted or dropped
    for (limit, error) in [(MIB, Error::Slow), (FREE, Error::TooLarge { limit: FREE })] {
        let read = contents.read(stalled(1, Some(2 * FREE)), limit, &NAMED, NOW).await;
        assert_eq!(read.err(), Some(error));
    }
    assert_eq!(held(&contents), [0, 0]);
}

#[tokio::test(start_paused = true)]
async fn what_finds_no_room_is_refused_and_small_content_never_is() {
    let contents = contents();
    let kept = contents.read(announced(10 * MIB), 10 * MIB, &NAMED, NOW).await.unwrap();
    for body in [announced(FREE + 1), chunked(FREE + 1)] {
        let read = contents.read(body, 10 * MIB, &NAMED, NOW).await;
        assert_eq!(read.err(), Some(Error::Full(Full::Share)));
    }
    for body in [announced(FREE), chunked(FREE)] {
        assert!(contents.read(body, MIB, &NAMED, NOW).await.is_ok());
        assert_eq!(held(&contents)[0], 10 * MIB);
    }
    drop(kept);
    assert!(contents.read(announced(MIB), MIB, &NAMED, NOW).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn after_wrong_signatures_only_small_content_is_taken_until_a_right_one() {
    let contents = contents();
    let strange = Sender { address: Some([192, 0, 2, 1].into()), key: KEY };
    for _ in 0..MOST_FAILURES {
        contents.failed(&strange, NOW);
    }
    for bytes in [SMALL + 1, MIB] {
        for body in [announced(bytes), chunked(bytes)] {
            let read = contents.read(body, MIB, &strange, NOW).await;
            assert_eq!(read.err(), Some(Error::Suspect));
        }
    }
    assert_eq!(contents.refused_suspects(), 4);
    let too_large = contents.read(announced(FREE + 1), FREE, &strange, NOW).await;
    assert_eq!(too_large.err(), Some(Error::TooLarge { limit: FREE }));
    for body in [announced(SMALL), chunked(SMALL)] {
        assert!(contents.read(body, MIB, &strange, NOW).await.is_ok());
    }
    for other in [NAMED, Sender { address: Some([192, 0, 2, 2].into()), key: KEY }] {
        assert!(contents.read(announced(MIB), MIB, &other, NOW).await.is_ok());
    }
    contents.verified(&strange, &parts());
    assert!(contents.read(announced(MIB), MIB, &strange, NOW).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn strangers_who_name_an_account_do_not_keep_out_whoever_was_verified() {
    let contents = contents();
    let at = |last: u8| Sender { address: Some([192, 0, 2, last].into()), key: KEY };
    contents.verified(&at(9), &parts());
    let mut kept = Vec::new();
    for stranger in 0..5 {
        let read = contents.read(announced(2 * MIB), 2 * MIB, &at(stranger), NOW).await;
        kept.push(read.unwrap());
    }
    // shares are no smaller than the largest content
    assert_eq!(held(&contents)[0], MOST_UNVERIFIED);
    let another = contents.read(announced(2 * MIB), 2 * MIB, &at(6), NOW).await;
    assert_eq!(another.err(), Some(Error::Full(Full::Share)));
    assert!(contents.read(announced(2 * MIB), 2 * MIB, &at(9), NOW).await.is_ok());
}
