//! What is noted is told, also after a start, and old entries make room.

use stoker_domain::outcome::Uncacheable;
use stoker_testkit::FakeClock;

use super::*;

const REFUSED: Outcome = Outcome::Uncacheable(Uncacheable::NoStore);

/// Before everything that is noted here.
const ALWAYS: Timestamp = Timestamp::from_millis(0);

fn key_of(number: u32) -> Key {
    Key::new("www.example.com", &format!("/{number}"))
}

#[test]
fn the_newest_of_what_is_noted_decides_also_after_a_start() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), FakeClock::default());
    let open = || History::open(dir.path(), Arc::new(clock.clone()));
    let history = open();
    let tick = || {
        clock.advance(Duration::from_secs(1));
        clock.now()
    };
    let refused_at = tick();
    for number in [1, 2, 3] {
        history.ended(key_of(number), REFUSED, Some("the origin\nanswered 200"));
    }
    history.ended(key_of(6), Outcome::OriginStatus(404), None);
    history.ended(key_of(7), Outcome::Canceled, None);
    let lost_at = tick();
    history.evicted(&[key_of(2), key_of(4)]);
    history.purged_one(key_of(5));
    let purged_at = tick();
    history.purged_below("www.example.com/9/");
    history.purged_below("www.example.com tag");
    tick();
    history.ended(key_of(3), Outcome::Filled, None);
    history.damaged(key_of(8));
    history.purged(key_of(9), b"www.example.com/9/x");
    history.ended(key_of(4), REFUSED, None);

    let again = |history: &History| {
        let lacks: Vec<_> = (1..=9).map(|number| history.lack(key_of(number), ALWAYS)).collect();
        let expected = [
            Lack::Refused,
            Lack::Evicted(lost_at),
            Lack::NeverAsked,
            Lack::Refused,
            Lack::Purged(lost_at),
            Lack::Failed,
            Lack::NeverAsked,
            Lack::Damaged(clock.now()),
            Lack::Purged(purged_at),
        ];
        assert_eq!(lacks, expected);
        let failure = history.last_failure(key_of(1), ALWAYS).unwrap();
        let detail = Some("the origin answered 200".to_owned());
        assert_eq!(failure, Failure { at: refused_at, outcome: REFUSED, detail });
        assert_eq!(history.last_failure(key_of(3), ALWAYS), None);
        // of a domain that was added since
        assert_eq!(history.lack(key_of(1), lost_at), Lack::NeverAsked);
        assert_eq!(history.last_failure(key_of(1), lost_at), None);
    };
    again(&history);
    history.write();
    again(&open());
}

#[test]
fn the_same_again_is_not_written_and_a_flood_of_one_kind_leaves_the_other() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), FakeClock::default());
    let history = History::open(dir.path(), Arc::new(clock.clone()));
    history.ended(key_of(0), REFUSED, None);
    let one = history.records().pending.failures.len();
    for _ in 0..1000 {
        history.ended(key_of(0), REFUSED, None);
    }
    assert_eq!(history.records().pending.failures.len(), one);
    let keys: Vec<Key> = (1..100_000).map(key_of).collect();
    for keys in keys.chunks(1000) {
        history.evicted(keys);
        history.write();
    }
    assert_eq!(history.lack(key_of(0), ALWAYS), Lack::Refused);
    assert_eq!(history.lack(key_of(1), ALWAYS), Lack::NeverAsked, "the oldest are forgotten");
    let again = History::open(dir.path(), Arc::new(clock.clone()));
    assert_eq!(again.lack(key_of(99_999), ALWAYS), Lack::Evicted(clock.now()));
    let files = std::fs::read_dir(dir.path().join(FOLDER)).unwrap();
    let bytes: u64 = files.map(|file| file.unwrap().metadata().unwrap().len()).sum();
    assert!(bytes < 3 << 20, "{bytes} bytes");
}

#[test]
fn what_a_power_cut_leaves_of_a_line_is_left_out() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), FakeClock::default());
    let folder = dir.path().join(FOLDER);
    std::fs::create_dir(&folder).unwrap();
    let good = format!("1000 {:?} origin_status:404 x", key_of(1));
    let torn = format!("2000 {:?} uncacheable:no-sto", key_of(2));
    std::fs::write(folder.join("failures"), format!("\0\0\n{good}\n{torn}\n12 zz filled\n"))
        .unwrap();
    let history = History::open(dir.path(), Arc::new(clock));
    assert_eq!(history.lack(key_of(1), ALWAYS), Lack::Failed);
    assert_eq!(history.lack(key_of(2), ALWAYS), Lack::NeverAsked);
}

#[test]
fn a_failure_and_a_loss_of_the_same_moment_are_told_as_the_failure() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), FakeClock::default());
    let history = History::open(dir.path(), Arc::new(clock.clone()));
    let at = clock.now();
    history.ended(key_of(1), Outcome::OriginStatus(503), None);
    history.evicted(&[key_of(1)]);
    assert_eq!(history.lack(key_of(1), ALWAYS), Lack::Failed);
    assert_eq!(history.loss(key_of(1), ALWAYS), Some(Lack::Evicted(at)));
    // what was noted at the moment itself counts, what was noted before it does not
    assert_eq!(history.lack(key_of(1), at), Lack::Failed);
    assert_eq!(history.loss(key_of(1), at), Some(Lack::Evicted(at)));
    let later = at + Duration::from_millis(1);
    assert_eq!(history.lack(key_of(1), later), Lack::NeverAsked);
    assert_eq!(history.loss(key_of(1), later), None);
    // a later loss is the newer of the two
    clock.advance(Duration::from_secs(1));
    history.damaged(key_of(1));
    assert_eq!(history.lack(key_of(1), ALWAYS), Lack::Damaged(clock.now()));
}

#[test]
fn the_same_again_is_written_after_a_minute_and_another_outcome_at_once() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), FakeClock::default());
    let history = History::open(dir.path(), Arc::new(clock.clone()));
    let lines = || {
        let records = history.records();
        [&records.pending.failures, &records.pending.losses].map(|text| text.lines().count())
    };
    let note = || {
        history.ended(key_of(1), REFUSED, None);
        history.damaged(key_of(1));
    };
    note();
    assert_eq!(lines(), [1, 1]);
    clock.advance(REPEAT_AFTER - Duration::from_millis(1));
    note();
    // what fails goes on failing: the minute counts from the last time
    assert_eq!(lines(), [1, 1]);
    clock.advance(Duration::from_millis(1));
    history.damaged(key_of(1));
    assert_eq!(lines(), [1, 2]);
    clock.advance(REPEAT_AFTER);
    history.ended(key_of(1), REFUSED, None);
    assert_eq!(lines(), [2, 2]);
    history.ended(key_of(1), Outcome::OriginStatus(500), None);
    history.purged_one(key_of(1));
    assert_eq!(lines(), [3, 3]);
    // a success is written once, and only after a failure
    for _ in 0..2 {
        history.ended(key_of(1), Outcome::Filled, None);
        history.ended(key_of(2), Outcome::Filled, None);
    }
    assert_eq!(lines(), [4, 3]);
}

#[test]
fn the_newest_purge_that_concerns_a_url_says_when_it_went() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), FakeClock::default());
    let history = History::open(dir.path(), Arc::new(clock.clone()));
    let purge = |name: &str| {
        clock.advance(Duration::from_secs(1));
        history.purged_below(name);
        clock.now()
    };
    let by_path = purge("www.example.com/a/");
    let by_tag = purge("www.example.com tag");
    let by_wildcard = purge("*.example.net tag");
    let by_another = purge("www.example.org/");
    clock.advance(Duration::from_secs(1));
    for (number, url, at) in [
        (1, "www.example.com/b", by_tag),
        (2, "sub.example.net/b", by_wildcard),
        (3, "www.example.org/", by_another),
        // nothing names it: it went just now
        (4, "example.net/b", clock.now()),
    ] {
        history.purged(key_of(number), url.as_bytes());
        assert_eq!(history.loss(key_of(number), ALWAYS), Some(Lack::Purged(at)), "{url}");
    }
    // the oldest of many is forgotten
    for _ in 0..PURGES - 3 {
        history.purged_below("www.example.info/");
    }
    let records = history.records();
    assert_eq!((records.purges.len(), records.purges[0].0), (PURGES, by_tag));
    assert!(by_path < by_tag);
}

#[test]
fn a_long_sentence_is_cut_between_two_characters() {
    for (text, expected) in [
        ("x".repeat(DETAIL_BYTES), "x".repeat(DETAIL_BYTES)),
        ("x".repeat(DETAIL_BYTES + 1), format!("{}…", "x".repeat(DETAIL_BYTES))),
        (
            format!("{}é", "x".repeat(DETAIL_BYTES - 1)),
            format!("{}…", "x".repeat(DETAIL_BYTES - 1)),
        ),
        ("a\r\nb".into(), "a  b".into()),
    ] {
        assert_eq!(shortened(&text), expected);
    }
}

#[test]
fn the_older_half_of_a_memory_goes_when_the_newer_is_full() {
    let mut halves = TwoHalves::new(2);
    halves.put(key_of(1), 1);
    halves.put(key_of(2), 2);
    // a key that is there needs no room
    halves.put(key_of(2), 20);
    assert_eq!((halves.get(key_of(1)), halves.get(key_of(2))), (Some(&1), Some(&20)));
    halves.put(key_of(3), 3);
    assert_eq!(halves.get(key_of(1)), Some(&1), "it is in the older half");
    // the newest value counts
    halves.put(key_of(1), 10);
    assert_eq!(halves.get(key_of(1)), Some(&10));
    assert!(halves.remove(key_of(1)));
    assert!(!halves.remove(key_of(1)), "it is gone from both halves");
    halves.put(key_of(4), 4);
    halves.put(key_of(5), 5);
    assert_eq!(halves.get(key_of(2)), None);
    assert_eq!(halves.get(key_of(3)), Some(&3));
}

#[test]
fn what_waits_to_be_written_is_bounded() {
    let mut texts = Texts::default();
    let line = "x".repeat(PENDING_BYTES / 2);
    for _ in 0..3 {
        texts.push(|texts| &mut texts.losses, &line);
    }
    assert_eq!(texts.losses.len(), PENDING_BYTES);
    texts.push(|texts| &mut texts.losses, "x");
    assert_eq!(texts.losses.len(), PENDING_BYTES);
    texts.push(|texts| &mut texts.purges, "x");
    assert_eq!(texts.purges, "x", "each file has its own bound");
}

#[tokio::test]
async fn what_was_noted_is_written_before_it_stops() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), FakeClock::default());
    let open = || Arc::new(History::open(dir.path(), Arc::new(clock.clone())));
    let history = open();
    let stop = CancellationToken::new();
    history.ended(key_of(1), REFUSED, None);
    stop.cancel();
    Arc::clone(&history).keep(stop).await;
    assert_eq!(open().lack(key_of(1), ALWAYS), Lack::Refused);
}
