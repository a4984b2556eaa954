//! The law of pace, on random histories: what nodes may read together never passes a limit, and is
//! 95 % of it when the demand is enough and nothing has happened for two leases.
//!
//! Time is paused and passes in small steps. A node here does what a node's lanes do, which has tests
//! of its own: it goes by what it was granted, then by that or its share if that is less, for as
//! long as grants of others may count, then by its share. Not in these histories: answers that are
//! lost after the engine has given them, a node that is cut off for more than half a minute, and one
//! that takes up or ends work while only it is cut off, for work comes through the engine.

use std::{ops::Range, sync::Arc, time::Duration};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use stoker_domain::time::Clock;
use stoker_domain::{
    area::{Area, AreaScope, Tier},
    domain::OriginLimit,
    pace::{Demand, LEASE, bytes_per_second},
    placement::Node,
    quota::Limits,
};
use stoker_engine::{Config, DomainError, Engine};
use stoker_ledger::Sqlite;
use stoker_testkit::FakeClock;
use tokio::time::{Instant, advance};

use super::limited;
use crate::fixture::{HOST, domain, node};

const SEEDS: Range<u64> = 0..20;
const STEP: Duration = Duration::from_millis(20);
const STEPS: u32 = 2500;
/// Steps between two questions of a node.
const ROUND: u32 = 10;

#[derive(Clone, Copy, Debug)]
struct Granted {
    rate: u64,
    until: Instant,
    free_at: Instant,
}

#[derive(Debug)]
struct Reader {
    node: Node,
    session: u64,
    /// Number of the engine that it has registered with.
    known_to: u32,
    wanted: u64,
    grant: Option<Granted>,
    is_given_up: bool,
    phase: u32,
    /// It begins, and does not wait for its turn to ask.
    is_new: bool,
    cut_until: Instant,
    down_until: Instant,
}

impl Reader {
    fn new(number: u32, area: Area, now: Instant) -> Self {
        let node = Node { name: format!("middle-{number}"), ..node(area, Tier::Middle) };
        Self {
            node,
            session: 1,
            known_to: 0,
            wanted: 0,
            grant: None,
            is_given_up: true,
            phase: number * 3 % ROUND,
            is_new: false,
            cut_until: now,
            down_until: now,
        }
    }

    /// What it may read, in bytes per second.
    fn may_read(&self, floor: u64, now: Instant) -> u64 {
        if self.wanted == 0 || now < self.down_until {
            return 0;
        }
        match self.grant {
            Some(granted) if now < granted.until => granted.rate,
            Some(granted) if now < granted.free_at => granted.rate.min(floor),
            _ => floor,
        }
    }

    fn want(&mut self, wanted: u64, now: Instant) {
        self.wanted = wanted;
        if wanted > 0 && self.is_given_up {
            self.grant = Some(Granted { rate: 0, until: now, free_at: now + LEASE });
            (self.is_given_up, self.is_new) = (false, true);
        }
    }

    /// It is cut off for `time`, less long than the engine believes that it still reads.
    fn cut(&mut self, now: Instant, time: Duration) {
        // two such times would be one if it could not ask between them
        if now > self.cut_until + LEASE {
            self.cut_until = now + time;
        }
    }

    fn is_there(&self, now: Instant) -> bool {
        now >= self.cut_until && now >= self.down_until
    }

    async fn ask(&mut self, engine: &Engine, number: u32) {
        if self.known_to != number {
            engine.register(self.node.clone(), self.session).await.unwrap();
            self.known_to = number;
        }
        self.is_new = false;
        self.is_given_up |= self.wanted == 0;
        let demand = Demand { host: HOST.into(), wanted: self.wanted, used: 0 };
        let now = Instant::now();
        for grant in engine.pace(&self.node.name, &[demand]) {
            let (until, free_at) = (now + LEASE, now + 2 * LEASE);
            // what is not limited here is judged by nobody
            let rate = grant.bytes_per_second.unwrap_or(0);
            self.grant = Some(Granted { rate, until, free_at });
        }
    }
}

struct History {
    random: StdRng,
    ledger: Arc<Sqlite>,
    clock: FakeClock,
    engine: Option<Arc<Engine>>,
    /// How many engines there were.
    number: u32,
    opens_at: Instant,
    readers: Vec<Reader>,
    /// When something happened last.
    event: Instant,
    next: Instant,
    /// How often the flow was enough, and had to be.
    judged: u32,
    _dir: tempfile::TempDir,
}

impl History {
    async fn new(seed: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Arc::new(Sqlite::open(dir.path().join("ledger.sqlite")).unwrap());
        let mut random = StdRng::seed_from_u64(seed);
        let now = Instant::now();
        let readers = (0..random.random_range(2..6))
            .map(|n| {
                // the task is for the mainland
                let area = if n == 0 { 0 } else { random.random_range(0..2) };
                Reader::new(n, Area::ALL[area], now)
            })
            .collect();
        let mut history = Self {
            random,
            ledger,
            clock: FakeClock::default(),
            engine: None,
            number: 0,
            opens_at: now,
            readers,
            event: now,
            next: now + LEASE,
            judged: 0,
            _dir: dir,
        };
        history.open().await;
        history.limit().await;
        history
    }

    async fn open(&mut self) {
        let nodes = self.readers.iter().map(|reader| reader.node.clone()).collect();
        let config = Config { nodes, ..Config::default() };
        let (ledger, clock) = (Arc::clone(&self.ledger), Arc::new(self.clock.clone()));
        self.engine = Some(Engine::open(ledger, clock, 1, config).await.unwrap());
        self.number += 1;
        self.event = Instant::now();
    }

    /// A limit of a task, of the domain in one area or both, or all of them.
    async fn limit(&mut self) {
        let engine = self.engine.as_ref().unwrap();
        let limits = Limits { batch: 500, daily: 10 };
        let account = engine.create_account("100000000001".into(), 1, limits).await.unwrap();
        engine.add_domain(account.id, domain(HOST, AreaScope::Global)).await.unwrap();
        let kind = self.random.random_range(0..4);
        if kind != 1 {
            engine.submit(&account, limited("http://www.example.com/a", 40)).await.unwrap();
        }
        let areas = &Area::ALL[..kind.min(2)];
        let now = self.clock.now();
        let own = |area: &Area, megabits_per_second| OriginLimit {
            area: *area,
            megabits_per_second,
            created_at: now,
            updated_at: now,
        };
        let random = &mut self.random;
        let own = areas.iter().map(|area| own(area, random.random_range(10..60))).collect();
        let change = |domain: &mut stoker_domain::domain::Domain| -> Result<(), DomainError> {
            domain.origin_limits = own;
            Ok(())
        };
        engine.change_domain(account.id, HOST, change).await.unwrap();
    }

    /// One thing happens: work begins or ends, a node is cut off or dies, the engine is killed, the
    /// clock on the wall jumps.
    fn happen(&mut self, now: Instant) {
        let reader = self.random.random_range(0..self.readers.len());
        let time = Duration::from_millis(self.random.random_range(50..6000));
        let wanted = match self.random.random_range(0..4) {
            0 => 0,
            1 => self.random.random_range(1..bytes_per_second(10)),
            _ => u64::MAX,
        };
        let (kind, is_quick) = (self.random.random_range(0..10), self.random.random_bool(0.5));
        let reader = &mut self.readers[reader];
        match kind {
            0..=4 if now >= reader.cut_until && now >= reader.down_until => {
                reader.want(wanted, now);
            }
            5 | 6 => reader.cut(now, time * 4),
            7 => {
                reader.session += 1;
                (reader.known_to, reader.grant, reader.is_given_up) = (0, None, true);
                (reader.wanted, reader.down_until) = (0, now + time);
                reader.is_new = false;
                reader.cut_until = now;
            }
            8 => {
                // sooner or later than grants of this engine end, and one node may miss it
                self.engine = None;
                self.opens_at = now + time / if is_quick { 40 } else { 4 };
                if is_quick {
                    reader.cut(now, time * 4);
                }
            }
            9 => {
                let hours = Duration::from_secs(3600 * self.random.random_range(1..50));
                self.clock.advance(hours);
                if self.random.random_bool(0.5) {
                    self.clock.jump(self.clock.now() - 2 * hours);
                }
            }
            _ => {}
        }
    }

    async fn step(&mut self, step: u32) {
        advance(STEP).await;
        let now = Instant::now();
        if self.engine.is_none() && now >= self.opens_at {
            self.open().await;
        }
        if now >= self.next {
            self.happen(now);
            self.event = now;
            // often much at once, now and then long peace
            let most = if self.random.random_bool(0.2) { 8000 } else { 1500 };
            self.next = now + Duration::from_millis(self.random.random_range(20..most));
        }
        if let Some(engine) = &self.engine {
            for reader in self.readers.iter_mut().filter(|reader| reader.is_there(now)) {
                let is_new = reader.is_new || reader.known_to != self.number;
                if (step + reader.phase).is_multiple_of(ROUND) || is_new {
                    reader.ask(engine, self.number).await;
                }
            }
        } else {
            return;
        }
        if self.readers.iter().any(|reader| !reader.is_there(now)) {
            self.event = now;
        }
        self.judge(now);
    }

    fn judge(&mut self, now: Instant) {
        let directory = self.engine.as_ref().unwrap().directory();
        let directory = directory.borrow();
        let limits = directory.limits(HOST);
        let (mut reads, mut wants) = (0, 0);
        for area in Area::ALL.into_iter().filter(|area| !limits.is_free(*area)) {
            let floor = directory.floor(HOST, area).unwrap();
            let of = self.readers.iter().filter(|reader| reader.node.area == area);
            let (mut may_read, mut wanted, mut used) = (0, 0_u64, 0);
            for reader in of {
                let rate = reader.may_read(floor, now);
                may_read += rate;
                wanted = wanted.saturating_add(reader.wanted);
                used += rate.min(reader.wanted);
            }
            let limit = limits.of(area).unwrap_or(u64::MAX);
            assert!(may_read <= limit, "{area}: {may_read} of {limit}: {:#?}", self.readers);
            reads += used;
            wants = wanted.min(limit).saturating_add(wants);
            if limits.total.is_none() {
                self.judge_flow(now, used, wanted.min(limit));
            }
        }
        if let Some(total) = limits.total {
            let of = |reader: &Reader| {
                reader.may_read(directory.floor(HOST, reader.node.area).unwrap(), now)
            };
            let may_read: u64 = self.readers.iter().map(of).sum();
            assert!(may_read <= total, "{may_read} of {total}: {:#?}", self.readers);
            self.judge_flow(now, reads, wants.min(total));
        }
    }

    fn judge_flow(&mut self, now: Instant, reads: u64, due: u64) {
        if due > 0 && now > self.event + 2 * LEASE {
            self.judged += 1;
            let readers = &self.readers;
            assert!(reads as f64 >= 0.95 * due as f64, "only {reads} of {due}: {readers:#?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nodes_together_never_pass_a_limit_and_reach_it_through_silence_crashes_and_restarts() {
    let mut judged = 0;
    for seed in SEEDS {
        println!("seed {seed}");
        let mut history = History::new(seed).await;
        for step in 0..STEPS {
            history.step(step).await;
        }
        judged += history.judged;
    }
    assert!(judged > 1000, "the flow was judged {judged} times: hardly any peace");
}
