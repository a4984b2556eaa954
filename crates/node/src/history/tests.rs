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
    let one = history.book().pending.failures.len();
    for _ in 0..1000 {
        history.ended(key_of(0), REFUSED, None);
    }
    assert_eq!(history.book().pending.failures.len(), one);
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
