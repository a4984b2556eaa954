//! What a pacer lets pass while the engine answers, answers late and falls silent.
//!
//! Time is paused: it passes only when all wait for it. The node under test is one of two that may
//! ask the origin, so its share is half of the limit.

use std::{collections::HashMap, sync::atomic::AtomicU64};

use async_trait::async_trait;
use stoker_agent::Error;
use stoker_domain::{
    area::{Area, Tier},
    job::{Heartbeat, JobId, LeaseToken, LeasedJob, Report, StoreHealth},
    purge::PurgeOrder,
};
use tokio::task::JoinHandle;

use super::*;

const HOST: &str = "www.example.com";
/// Megabits per second of the limit, and the node's share in bytes.
const LIMIT: u32 = 16;
const SHARE: u64 = 1_000_000;
const PIECE: u64 = 2_000;

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[derive(Clone, Copy)]
enum Answer {
    Grant(u64),
    Late(Duration, u64),
    /// The call gets through and the engine says nothing of the domain.
    Nothing,
    Silence,
}

struct Engine {
    answer: Mutex<Answer>,
    heard: Mutex<Vec<Demand>>,
}

#[async_trait]
impl JobSource for Engine {
    async fn register(&self, _: &Node, _: u64) -> Result<(), Error> {
        Err(Error::Unreachable(None))
    }

    async fn lease(&self, _: &str, _: usize) -> Result<Vec<LeasedJob>, Error> {
        Err(Error::Unreachable(None))
    }

    async fn heartbeat(&self, _: Heartbeat) -> Result<(), Error> {
        Err(Error::Unreachable(None))
    }

    async fn lost_leases(&self, _: &str) -> Result<Vec<(JobId, LeaseToken)>, Error> {
        Err(Error::Unreachable(None))
    }

    async fn report(&self, _: Report) -> Result<(), Error> {
        Err(Error::Unreachable(None))
    }

    async fn health(&self, _: &str, _: StoreHealth) -> Result<(), Error> {
        Err(Error::Unreachable(None))
    }

    async fn purges(&self, _: &str) -> Result<Vec<PurgeOrder>, Error> {
        Err(Error::Unreachable(None))
    }

    async fn open_purges(&self, _: &str) -> Result<Vec<PurgeOrder>, Error> {
        Err(Error::Unreachable(None))
    }

    async fn confirm_purge(&self, _: &str, _: u64) -> Result<(), Error> {
        Err(Error::Unreachable(None))
    }

    async fn pace(&self, _: &str, demands: Vec<Demand>) -> Result<Vec<Grant>, Error> {
        let answer = *self.answer.lock().unwrap();
        let rate = match answer {
            Answer::Grant(rate) => rate,
            Answer::Late(time, rate) => {
                sleep(time).await;
                rate
            }
            Answer::Nothing => return Ok(Vec::new()),
            Answer::Silence => std::future::pending().await,
        };
        self.heard.lock().unwrap().extend(demands.clone());
        let grant = |demand: Demand| Grant {
            host: demand.host,
            bytes_per_second: Some(rate),
            lease_ms: 1000,
        };
        Ok(demands.into_iter().filter(|demand| demand.wanted > 0).map(grant).collect())
    }
}

struct Fixture {
    engine: Arc<Engine>,
    pacer: Arc<Pacer>,
    directory: watch::Sender<Arc<Directory>>,
    read: Arc<AtomicU64>,
}

impl Fixture {
    fn new(answer: Answer) -> Self {
        let node = |name: &str, area| {
            let (name, cluster) = (name.to_owned(), "one".to_owned());
            Node { name, area, tier: Tier::Middle, cluster, address: "127.0.0.1:1".into() }
        };
        let mut directory = Directory::default();
        directory.put_node(node("this", Area::Mainland));
        directory.put_node(node("other", Area::Overseas));
        directory.set_task_limits(HashMap::from([(HOST.into(), LIMIT)]));
        let this = Arc::clone(directory.fleet().node("this").unwrap());
        let (directory, watched) = watch::channel(Arc::new(directory));
        let engine = Engine { answer: Mutex::new(answer), heard: Mutex::default() };
        let (engine, pacer) = (Arc::new(engine), Arc::new(Pacer::new(this, watched)));
        let (asking, source) = (Arc::clone(&pacer), Arc::clone(&engine));
        stoker_testkit::spawn(async move { asking.run(source, CancellationToken::new()).await });
        Self { engine, pacer, directory, read: Arc::default() }
    }

    fn answer(&self, answer: Answer) {
        *self.engine.answer.lock().unwrap() = answer;
    }

    /// Reads without end: as fast as it may, or with a rest after each piece.
    fn begin(&self, rest: Duration) -> JoinHandle<()> {
        let (pacer, read) = (self.pacer.host(HOST), Arc::clone(&self.read));
        stoker_testkit::spawn(async move {
            let mut reservation = pacer.reserve(0, false, || false).await.unwrap();
            loop {
                reservation.spend(PIECE);
                reservation.cover_debt(|| false).await;
                read.fetch_add(PIECE, Ordering::Relaxed);
                if !rest.is_zero() {
                    sleep(rest).await;
                }
            }
        })
    }

    /// Bytes per second that pass during `time` from now.
    async fn rate(&self, time: Duration) -> u64 {
        let before = self.read.load(Ordering::Relaxed);
        sleep(time).await;
        let passed = self.read.load(Ordering::Relaxed) - before;
        (passed as f64 / time.as_secs_f64()) as u64
    }

    fn wanted(&self) -> u64 {
        self.engine.heard.lock().unwrap().last().unwrap().wanted
    }
}

#[track_caller]
fn assert_near(rate: u64, due: u64) {
    assert!((due - due / 50..=due + due / 50).contains(&rate), "{rate} instead of {due}");
}

#[tokio::test(start_paused = true)]
async fn a_grant_ends_in_the_share_and_counts_again_when_the_engine_is_heard_again() {
    let fixture = Fixture::new(Answer::Grant(1_600_000));
    let _reading = fixture.begin(Duration::ZERO);
    sleep(millis(300)).await;
    assert_near(fixture.rate(millis(2000)).await, 1_600_000);
    fixture.answer(Answer::Silence);
    assert_near(fixture.rate(millis(750)).await, 1_600_000);
    sleep(millis(300)).await;
    assert_near(fixture.rate(millis(5000)).await, SHARE);
    fixture.answer(Answer::Grant(1_600_000));
    // a call that is not answered is given up after a second
    sleep(millis(1300)).await;
    assert_near(fixture.rate(millis(2000)).await, 1_600_000);
}

#[tokio::test(start_paused = true)]
async fn a_grant_below_the_share_rises_only_when_the_grants_of_others_are_over_too() {
    let fixture = Fixture::new(Answer::Grant(200_000));
    let _reading = fixture.begin(Duration::ZERO);
    sleep(millis(1000)).await;
    fixture.answer(Answer::Silence);
    assert_near(fixture.rate(millis(1750)).await, 200_000);
    sleep(millis(300)).await;
    assert_near(fixture.rate(millis(3000)).await, SHARE);
}

#[tokio::test(start_paused = true)]
async fn a_grant_counts_from_when_it_was_asked_for() {
    // a tenth of a second is left of each when it comes, and the next comes a second later
    let fixture = Fixture::new(Answer::Late(millis(900), 1_800_000));
    let _reading = fixture.begin(Duration::ZERO);
    sleep(millis(2000)).await;
    let due = (1_800_000 + 10 * SHARE) / 11;
    assert_near(fixture.rate(millis(11_000)).await, due);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_begins_waits_for_a_word_but_no_longer_than_a_grant_counts() {
    for answer in [Answer::Silence, Answer::Nothing] {
        let fixture = Fixture::new(answer);
        let _reading = fixture.begin(Duration::ZERO);
        assert_eq!(fixture.rate(millis(990)).await, 0, "others may read at the limit");
        sleep(millis(50)).await;
        assert_near(fixture.rate(millis(3000)).await, SHARE);
    }
    let fixture = Fixture::new(Answer::Grant(1_600_000));
    let _reading = fixture.begin(Duration::ZERO);
    assert_near(fixture.rate(millis(1000)).await, 1_600_000);
}

#[tokio::test(start_paused = true)]
async fn what_was_given_up_is_not_read_before_the_engine_has_granted_it_again() {
    let fixture = Fixture::new(Answer::Grant(1_600_000));
    let reading = fixture.begin(Duration::ZERO);
    sleep(millis(1000)).await;
    reading.abort();
    sleep(millis(300)).await;
    assert_eq!(fixture.wanted(), 0, "the engine may grant it to others");
    fixture.answer(Answer::Silence);
    let _reading = fixture.begin(Duration::ZERO);
    assert_eq!(fixture.rate(millis(990)).await, 0);
    fixture.answer(Answer::Grant(1_600_000));
    sleep(millis(300)).await;
    assert_near(fixture.rate(millis(2000)).await, 1_600_000);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_used_is_left_to_others_within_a_second_and_wanted_again_at_once() {
    let fixture = Fixture::new(Answer::Grant(1_600_000));
    let fast = fixture.begin(Duration::ZERO);
    sleep(millis(1000)).await;
    assert_eq!(fixture.wanted(), u64::MAX, "the limit holds it back");
    fast.abort();
    let slow = fixture.begin(millis(20));
    sleep(millis(1000)).await;
    let wanted = fixture.wanted();
    assert!((100_000..250_000).contains(&wanted), "{wanted} for 100,000");
    fixture.answer(Answer::Grant(wanted));
    assert_near(fixture.rate(millis(2000)).await, 100_000);
    slow.abort();
    let _fast = fixture.begin(Duration::ZERO);
    sleep(millis(400)).await;
    assert_eq!(fixture.wanted(), u64::MAX);
}

#[tokio::test(start_paused = true)]
async fn a_lower_limit_binds_a_grant_that_counts_still() {
    let fixture = Fixture::new(Answer::Grant(1_600_000));
    let _reading = fixture.begin(Duration::ZERO);
    sleep(millis(1000)).await;
    fixture.answer(Answer::Silence);
    fixture.directory.send_modify(|directory| {
        Arc::make_mut(directory).set_task_limits(HashMap::from([(HOST.into(), 4)]));
    });
    fixture.pacer.host(HOST);
    assert_near(fixture.rate(millis(3000)).await, 250_000);
}

/// How long `reserve` waits at a rate of a million bytes per second, to the millisecond.
async fn reserving(fixture: &Fixture, asked: u64, are_there: bool) -> u64 {
    let begun = Instant::now();
    let reserved = fixture.pacer.host(HOST).reserve(asked, are_there, || false).await;
    assert!(reserved.is_some());
    // it keeps what it reserved: nothing of it is given back
    mem::forget(reserved);
    u64::try_from(begun.elapsed().as_millis()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_transfer_reserves_what_is_there_and_of_the_rest_what_is_usual() {
    let fixture = Fixture::new(Answer::Grant(SHARE));
    let _reading = fixture.begin(millis(1));
    sleep(millis(1000)).await;
    for (asked, are_there, bytes) in
        [(500_000, true, 500_000), (500_000, false, AHEAD), (40_000, false, 40_000)]
    {
        let waited = reserving(&fixture, asked, are_there).await;
        let due = bytes / 1000;
        // what a reader took before, and what was saved up
        assert!((due - due / 3..=due + due / 3).contains(&waited), "{asked}: {waited} of {due}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_reserved_for_a_viewer_or_where_nothing_limits() {
    let fixture = Fixture::new(Answer::Grant(SHARE));
    let pacer = fixture.pacer.host(HOST);
    assert!(pacer.reserve(1 << 20, true, || true).await.is_none());
    let free = fixture.pacer.host("free.example");
    assert!(!free.is_limited());
    assert!(free.reserve(1 << 20, true, || false).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn what_a_viewer_takes_over_is_given_back_once() {
    let fixture = Fixture::new(Answer::Grant(1_600_000));
    let _reading = fixture.begin(Duration::ZERO);
    sleep(millis(300)).await;
    let pacer = fixture.pacer.host(HOST);
    let joins = AtomicU64::new(0);
    let reserving = async {
        let reserved = pacer.reserve(200_000, true, || joins.load(Ordering::Relaxed) > 0).await;
        drop(reserved);
    };
    let joining = async {
        sleep(millis(30)).await;
        joins.store(1, Ordering::Relaxed);
    };
    let (rate, (), ()) = tokio::join!(fixture.rate(millis(2000)), reserving, joining);
    assert_near(rate, 1_600_000);
}

#[tokio::test(start_paused = true)]
async fn a_transfer_that_is_given_up_gives_back_what_it_reserved() {
    let fixture = Fixture::new(Answer::Grant(1_600_000));
    let _reading = fixture.begin(Duration::ZERO);
    sleep(millis(300)).await;
    let pacer = fixture.pacer.host(HOST);
    let gives_up = timeout(millis(30), pacer.reserve(400_000, true, || false));
    let (rate, given_up) = tokio::join!(fixture.rate(millis(2000)), gives_up);
    assert!(given_up.is_err());
    assert_near(rate, 1_600_000);
    assert_eq!(pacer.state().open, 1, "the reader alone");
}

#[tokio::test(start_paused = true)]
async fn one_request_asks_for_a_tenth_of_a_second_and_no_less_than_a_piece() {
    for (rate, piece) in [(1_600_000, 160_000), (100_000, 10_000), (50_000, super::PIECE)] {
        let fixture = Fixture::new(Answer::Grant(rate));
        let _reading = fixture.begin(Duration::ZERO);
        sleep(millis(300)).await;
        assert_eq!(fixture.pacer.host(HOST).piece(), piece, "{rate}");
    }
}

#[test]
fn a_window_holds_about_a_twentieth_of_a_second() {
    for (rate, bytes) in [
        (0, 4 << 10),
        (20 * (8 << 10) - 1, 4 << 10),
        (20 * (8 << 10), 8 << 10),
        (20 * (64 << 10), 64 << 10),
        (u64::MAX, 64 << 10),
    ] {
        assert_eq!(Window::of(rate).bytes(), bytes, "{rate}");
    }
}
