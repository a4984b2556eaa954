//! What must be true of purges, whatever happens.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    time::Duration,
};

use stoker_domain::{
    area::{Area, AreaScope, Tier},
    purge::{Method, PurgeOrder, Scope, tagged},
    quota::{Counter, Product, day},
    task::TaskId,
    time::{Clock, Timestamp},
    view::{PurgeFilter, PurgeNode, PurgeRow, PurgeState},
};
use stoker_engine::{Config, Receipt};

use crate::{
    model::{NODES, names},
    purging::{DAILY_PURGES, What},
    run::World,
};

/// What takes longer is overdue.
const PATIENCE: Duration = Duration::from_secs(600);

/// A purge as its caller asked for it, and what is known of it.
pub(crate) struct Asked {
    product: Product,
    scope: Scope,
    method: Method,
    /// As orders name them, sorted.
    pub(crate) targets: Vec<String>,
    areas: AreaScope,
    /// Turn and number of each node that must carry it out.
    turns: BTreeSet<(u32, usize)>,
    /// Charged in each area.
    costs: Vec<(Area, u64)>,
    /// What left the origin no later than this is old.
    moment: u64,
    /// Absent when the answer was lost.
    receipt: Option<Receipt>,
    is_refused: bool,
    /// The edges may be ordered early: only silent nodes were waited for.
    is_past_silent: bool,
    /// Orders that nodes have seen.
    seen: BTreeSet<(usize, u64)>,
    rows: Vec<PurgeNode>,
    finished_at: Option<Timestamp>,
}

impl Asked {
    pub(crate) fn new(
        what: &What,
        asked: Option<AreaScope>,
        method: Method,
        targets: Vec<String>,
        moment: u64,
    ) -> Self {
        let (everywhere, mainland) = (AreaScope::Global, AreaScope::Mainland);
        let areas = asked.unwrap_or(if what.reaches_www() { everywhere } else { mainland });
        // what is shielded globally may come from any middle node
        let ways = if what.reaches_www() { everywhere } else { mainland };
        let of = |wanted: Tier, areas: AreaScope| {
            let nodes = NODES.iter().enumerate();
            nodes.filter(move |(_, (_, area, tier, _))| *tier == wanted && areas.contains(*area))
        };
        let middles: Vec<usize> = of(Tier::Middle, ways).map(|(number, _)| number).collect();
        let mut phases = vec![middles.clone()];
        if middles.len() > 1 {
            phases.push(middles);
        }
        phases.push(of(Tier::Edge, areas).map(|(number, _)| number).collect());
        let turns = (0u32..).zip(&phases);
        let turns = turns.flat_map(|(phase, nodes)| nodes.iter().map(move |node| (phase, *node)));
        let turns = turns.collect();
        let costs = match what {
            What::Zone => vec![(Area::Mainland, 1)],
            What::Host { .. } | What::Tag(_) => vec![(Area::Mainland, 2)],
            What::Urls(_) | What::Directory => {
                areas.areas().iter().map(|area| (*area, targets.len() as u64)).collect()
            }
        };
        Self {
            product: what.product(),
            scope: what.scope(),
            method,
            targets,
            areas,
            turns,
            costs,
            moment,
            receipt: None,
            is_refused: false,
            is_past_silent: false,
            seen: BTreeSet::new(),
            rows: Vec::new(),
            finished_at: None,
        }
    }

    /// The turns of a node, in order.
    fn turns_of(&self, node: usize) -> Vec<u32> {
        self.turns.iter().filter(|(_, other)| *other == node).map(|(phase, _)| *phase).collect()
    }

    /// Whether every node of the turns before this one has confirmed as often as they demand.
    fn is_turn(&self, phase: u32, told: &[(usize, u64)]) -> bool {
        let nodes: BTreeSet<usize> =
            self.turns.iter().filter(|(turn, _)| *turn < phase).map(|(_, node)| *node).collect();
        nodes.into_iter().all(|node| {
            let due = self.turns_of(node).into_iter().filter(|turn| *turn < phase).count();
            self.told_by(node, told.iter()) >= due
        })
    }

    fn told_by<'a>(&self, node: usize, said: impl Iterator<Item = &'a (usize, u64)>) -> usize {
        let own: BTreeSet<_> = said.filter(|(by, _)| *by == node).collect();
        own.into_iter().filter(|said| self.seen.contains(said)).count()
    }
}

/// All of them, and what nodes said.
#[derive(Default)]
pub(crate) struct Purges {
    pub(crate) asked: Vec<Asked>,
    /// Orders that nodes have seen, in order.
    pub(crate) handed: Vec<(usize, u64)>,
    /// Confirmations of orders that were carried out, in order, whether they arrived or not.
    pub(crate) told: Vec<(usize, u64)>,
    /// Those that the engine took note of.
    pub(crate) heard: HashSet<(usize, u64)>,
    /// The highest number that each node has seen.
    highest: HashMap<usize, u64>,
}

impl Purges {
    pub(crate) fn take(&mut self, asked: Asked, receipt: Option<Receipt>) {
        self.asked.push(Asked { receipt, ..asked });
    }

    pub(crate) fn refuse(&mut self, asked: Asked) {
        self.asked.push(Asked { is_refused: true, ..asked });
    }

    /// Looks at an order that a node was handed.
    pub(crate) fn see(&mut self, node: usize, order: &PurgeOrder) {
        let asked = &mut self.asked[which(&order.targets)];
        let mut targets = order.targets.clone();
        targets.sort();
        assert_eq!((order.scope, order.method), (asked.scope, asked.method));
        assert_eq!(targets, asked.targets);
        assert!(!self.heard.contains(&(node, order.number)), "confirmed, and ordered again");
        if asked.seen.contains(&(node, order.number)) {
            return;
        }
        let highest = self.highest.entry(node).or_default();
        assert!(order.number > *highest, "{} after {highest}", order.number);
        *highest = order.number;
        let before = asked.seen.iter().filter(|(other, _)| *other == node).count();
        let turns = asked.turns_of(node);
        let is_edge = NODES[node].2 == Tier::Edge;
        let is_its_turn = |turn: Option<&u32>| turn.is_some_and(|t| asked.is_turn(*t, &self.told));
        let is_due = is_its_turn(turns.get(before));
        // of those that go past silent nodes, one comes early and one in its turn
        let is_early = is_edge && asked.is_past_silent && before == 0;
        let is_again = is_edge && asked.is_past_silent && before == 1 && is_its_turn(turns.first());
        assert!(is_due || is_early || is_again, "node {node} is not to purge now: {order:?}");
        asked.seen.insert((node, order.number));
        self.handed.push((node, order.number));
    }
}

/// The number of the purge with these targets.
fn which(targets: &[String]) -> usize {
    let number = |text: &String| {
        let (_, number) = text.rsplit_once("purge-")?;
        number.trim_end_matches('/').parse().ok()
    };
    targets.iter().find_map(number).expect("every purge has a target that tells which it is")
}

fn number_of(name: &str) -> usize {
    NODES.iter().position(|(other, ..)| *other == name).unwrap()
}

/// All there is in the ledger about purges.
pub(crate) type AllPurges = Vec<(Vec<PurgeRow>, Vec<PurgeNode>)>;

impl World {
    pub(crate) async fn all_purges(&self) -> AllPurges {
        let filter = PurgeFilter { limit: 1000, ..PurgeFilter::default() };
        let rows = self.flaky().inner().purges(&filter).await.unwrap().rows;
        let mut purges = BTreeMap::<TaskId, Vec<PurgeRow>>::new();
        for row in rows {
            purges.entry(row.id.clone()).or_default().push(row);
        }
        let mut all = Vec::new();
        for (id, rows) in purges {
            let nodes = self.flaky().inner().purge_nodes(&id).await.unwrap();
            all.push((rows, nodes));
        }
        all
    }

    /// To be called before a turn of the sweep: which purges it may take past silent nodes.
    pub(crate) async fn expect_sweep(&mut self) {
        let now = self.clock.now();
        let lease = Config::default().lease;
        let views = self.engine().nodes();
        let is_silent = |name: &str| {
            let seen = views.iter().find(|view| view.node.name == name).unwrap().last_seen;
            seen > now || now.since(seen) > lease
        };
        let is_open = |row: &&PurgeNode| {
            row.done_at.is_none() && NODES[number_of(&row.node)].2 == Tier::Middle
        };
        let silent = self.purges.asked.iter().map(|asked| {
            let open: Vec<_> = asked.rows.iter().filter(is_open).collect();
            let turn = open.iter().map(|row| row.phase).min();
            let mut waited_for = open.iter().filter(|row| Some(row.phase) == turn);
            turn.is_some() && waited_for.all(|row| is_silent(&row.node))
        });
        let silent: Vec<bool> = silent.collect();
        for (asked, is_silent) in self.purges.asked.iter_mut().zip(silent) {
            asked.is_past_silent |= is_silent;
        }
    }

    /// Whether a node has an order, or will have one, that it has not confirmed.
    pub(crate) async fn has_to_purge(&self, number: usize) -> bool {
        if self.purges.asked.is_empty() {
            return false;
        }
        let all = self.all_purges().await;
        let mut rows = all.iter().flat_map(|(_, nodes)| nodes);
        rows.any(|row| number_of(&row.node) == number && row.done_at.is_none())
    }

    pub(crate) async fn are_purges_done(&self) -> bool {
        self.all_purges().await.iter().all(|(rows, _)| rows[0].finished_at.is_some())
    }

    pub(crate) async fn check_purges(&mut self) {
        if self.purges.asked.is_empty() {
            return;
        }
        let all = self.all_purges().await;
        let mut found = HashMap::new();
        let mut charged = BTreeMap::new();
        for (rows, nodes) in &all {
            let number = which(&rows.iter().map(|row| row.url.clone()).collect::<Vec<_>>());
            assert!(found.insert(number, &rows[0].id).is_none(), "accepted twice");
            let asked = &mut self.purges.asked[number];
            assert!(!asked.is_refused, "refused, and written");
            check_rows(asked, rows);
            for (area, units) in &asked.costs {
                let day = day(rows[0].created_at);
                *charged.entry((asked.product, *area, day)).or_default() += units;
            }
            self.check_turns(number, rows[0].finished_at, nodes);
        }
        for (number, asked) in self.purges.asked.iter().enumerate() {
            let Some(receipt) = &asked.receipt else { continue };
            assert_eq!(found.get(&number), Some(&&receipt.task), "{receipt:?} is lost");
        }
        self.check_purge_quota(charged).await;
        self.check_purge_views(&all).await;
    }

    /// Who has confirmed, and what those still hold.
    fn check_turns(&mut self, number: usize, finished_at: Option<Timestamp>, rows: &[PurgeNode]) {
        let asked = &self.purges.asked[number];
        let turns: BTreeSet<_> = rows.iter().map(|row| (row.phase, number_of(&row.node))).collect();
        assert_eq!(turns, asked.turns);
        for (node, (name, _, tier, _)) in NODES.iter().enumerate() {
            let own = || rows.iter().filter(|row| row.node == *name);
            let extra = own().count() - asked.turns_of(node).len();
            let may_be_early = *tier == Tier::Edge && asked.is_past_silent;
            assert!(extra <= usize::from(may_be_early), "{name} has too many orders");
            let done = own().filter(|row| row.done_at.is_some()).count();
            let told = asked.told_by(node, self.purges.told.iter());
            let heard = asked.told_by(node, self.purges.heard.iter());
            assert!(heard <= done && done <= told, "{name}: {heard} {done} {told}");
            if done < own().count() || done == 0 {
                continue;
            }
            for (url, left_at) in &self.nodes[node].held {
                let is_purged = asked.targets.iter().any(|target| names(asked.scope, target, url));
                assert!(!is_purged || *left_at > asked.moment, "{name} has the old {url}");
            }
        }
        let is_done = rows.iter().all(|row| row.done_at.is_some());
        assert_eq!(finished_at.is_some(), is_done);
        let count = |rows: &[PurgeNode], row| rows.iter().filter(|other| *other == row).count();
        for row in asked.rows.iter().filter(|row| row.done_at.is_some()) {
            assert!(count(&asked.rows, row) <= count(rows, row), "{row:?} is gone");
        }
        assert!(asked.finished_at.is_none() || asked.finished_at == finished_at);
        let asked = &mut self.purges.asked[number];
        asked.rows = rows.to_vec();
        asked.finished_at = finished_at;
    }

    async fn check_purge_quota(&self, charged: BTreeMap<(Product, Area, i64), u64>) {
        // what was refused costs nothing either
        for ((product, area, day), expected) in charged {
            let counter = Counter { product, area, day };
            let used = self.flaky().inner().used(self.account.id, counter).await.unwrap();
            assert_eq!(used, expected, "{counter:?}");
            assert!(used <= DAILY_PURGES);
        }
    }

    async fn check_purge_views(&self, all: &AllPurges) {
        if self.flaky().is_failing() {
            return;
        }
        let now = self.clock.now();
        let state = |row: &PurgeRow| match row.finished_at {
            Some(_) => PurgeState::Done,
            None if now.since(row.created_at) > PATIENCE => PurgeState::Overdue,
            None => PurgeState::Processing,
        };
        for wanted in [PurgeState::Done, PurgeState::Overdue, PurgeState::Processing] {
            let states = Some(vec![wanted]);
            let filter = PurgeFilter { states, limit: 1000, ..PurgeFilter::default() };
            let page = self.engine().purges(&filter).await.unwrap();
            assert!(page.rows.iter().all(|row| row.state == wanted && state(row) == wanted));
            let rows = all.iter().flat_map(|(rows, _)| rows);
            assert_eq!(page.total, rows.filter(|row| state(row) == wanted).count() as u64);
        }
    }
}

/// What a purge is, as it stands in the ledger.
fn check_rows(asked: &Asked, rows: &[PurgeRow]) {
    let name = |row: &PurgeRow| match row.scope {
        Scope::Tag => tagged(&row.host, &row.url),
        Scope::Url | Scope::Path => row.url.clone(),
    };
    let mut targets: Vec<_> = rows.iter().map(name).collect();
    targets.sort();
    assert_eq!(targets, asked.targets);
    for row in rows {
        let found = (row.product, row.scope, row.method, row.areas);
        assert_eq!(found, (asked.product, asked.scope, asked.method, asked.areas));
    }
}
