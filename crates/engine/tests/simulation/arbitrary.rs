//! What can happen, and how often. Says nothing of what it leads to.

use proptest::{collection::vec, prelude::*};
use stoker_domain::{
    area::{AreaScope, Tier},
    purge::Method,
    task::TaskCommand,
};

use crate::{
    model::{NODES, TAGS, URLS},
    purging::What,
};

/// One event. Numbers that choose among things are taken modulo how many there are, so that every
/// list of ops can be run and stays so when some are left out.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    /// Time passes.
    Advance { seconds: u32 },
    /// Somebody sets the clock.
    Jump { seconds: i32 },
    /// A caller submits the URLs with these numbers.
    Submit { urls: Vec<usize>, areas: AreaScope, tier: Option<Tier>, follow: bool },
    /// A node asks for jobs, or all do; with `is_lost`, the answer does not arrive.
    Lease { node: Option<usize>, limit: usize, is_lost: bool },
    /// One of the nodes that have a job works on some items of it and reports them.
    Work { node: usize, job: usize, items: usize, is_last: bool, fate: Fate },
    /// A caller pauses, resumes or cancels one of the tasks.
    Control { task: usize, command: TaskCommand },
    /// A caller tries again what failed of one of the tasks.
    Retry { task: usize },
    /// The engine's background takes a turn.
    Turn,
    /// A node hears of leases that it lost, and tells how far it is with the others.
    Beat { node: usize },
    /// A message that was sent before arrives again.
    Repeat { message: usize },
    /// A caller purges.
    Purge { what: What, areas: Option<AreaScope>, method: Method },
    /// A node that has carried out what it knew of asks for purge orders, or all do; with `is_lost`,
    /// the answer does not arrive.
    TakeOrders { node: Option<usize>, is_lost: bool },
    /// A node, or all, carries out some of the orders that it has and confirms each. One that has
    /// none asks for them first.
    CarryOut { node: Option<usize>, orders: usize, fate: Fate },
    /// A confirmation that was sent before arrives again, or at last.
    RepeatPurged { message: usize },
    /// A node confirms an order that another was handed.
    ForgePurged { node: usize, order: usize },
    /// A viewer asks an edge.
    View { node: usize, url: usize },
    /// A node dies; its cache may die with it. It comes back with [`Op::Start`].
    Kill { node: usize, loses_cache: bool },
    /// A node starts, or registers again. One that started carries out the orders that it missed
    /// before it does anything else, unless it hears nothing of them for too long.
    Start { node: usize, hears_orders: bool },
    /// The engine's process dies and starts anew on the same file; the nodes register again.
    RestartEngine { before_nodes: usize },
    /// The sweep takes a turn. No case lasts so long that it may end or remove anything: clocks
    /// that are set, dead nodes and lost leases must not make it think so.
    Sweep,
    /// After `after` more verbs of the ledger, `verbs` fail; with `is_applied`, after they took
    /// effect. Most verbs come in the middle of something.
    Outage { after: u32, verbs: u32, is_applied: bool },
}

/// What becomes of a message and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Delivered,
    /// The engine never sees it; the node sends it no more.
    RequestLost,
    /// The engine sees it; the node believes that it did not.
    ReplyLost,
    /// The engine sees it twice.
    Twice,
}

/// A whole case; `has_purges` is false for those that are about prefetches alone.
pub(crate) fn ops(has_purges: bool) -> impl Strategy<Value = Vec<Op>> {
    // a purge takes many messages, so its cases are longer
    let (purging, most) = if has_purges { (80, 90) } else { (0, 60) };
    vec(prop_oneof![34 => op(), purging => purge_op()], 1..most)
}

fn op() -> impl Strategy<Value = Op> {
    let node = 0..NODES.len();
    prop_oneof![
        2 => (0..40u32).prop_map(|seconds| Op::Advance { seconds }),
        1 => prop_oneof![-90_000..90_000i32, -100..100i32].prop_map(|seconds| Op::Jump { seconds }),
        3 => submit(),
        6 => (prop::option::of(node.clone()), 1..4usize, prop::bool::weighted(0.15))
            .prop_map(|(node, limit, is_lost)| Op::Lease { node, limit, is_lost }),
        12 => work(),
        1 => node.clone().prop_map(|node| Op::Beat { node }),
        3 => control(),
        1 => (0..20usize).prop_map(|task| Op::Retry { task }),
        1 => Just(Op::Turn),
        2 => (0..100usize).prop_map(|message| Op::Repeat { message }),
        1 => (node.clone(), any::<bool>())
            .prop_map(|(node, loses_cache)| Op::Kill { node, loses_cache }),
        1 => (node, prop::bool::weighted(0.7))
            .prop_map(|(node, hears_orders)| Op::Start { node, hears_orders }),
        1 => (0..=NODES.len()).prop_map(|before_nodes| Op::RestartEngine { before_nodes }),
        2 => Just(Op::Sweep),
        3 => (0..8u32, 1..3u32, any::<bool>())
            .prop_map(|(after, verbs, is_applied)| Op::Outage { after, verbs, is_applied }),
    ]
}

fn purge_op() -> impl Strategy<Value = Op> {
    let node = 0..NODES.len();
    prop_oneof![
        2 => purge(),
        6 => (prop::option::of(node.clone()), prop::bool::weighted(0.1))
            .prop_map(|(node, is_lost)| Op::TakeOrders { node, is_lost }),
        10 => (prop::option::of(node.clone()), 1..4usize, fate())
            .prop_map(|(node, orders, fate)| Op::CarryOut { node, orders, fate }),
        2 => (0..100usize).prop_map(|message| Op::RepeatPurged { message }),
        1 => (node.clone(), 0..100usize).prop_map(|(node, order)| Op::ForgePurged { node, order }),
        6 => (node.clone(), 0..=URLS.len()).prop_map(|(node, url)| Op::View { node, url }),
        3 => node.prop_map(|node| Op::Start { node, hears_orders: true }),
        3 => (0..40u32).prop_map(|seconds| Op::Advance { seconds }),
        2 => Just(Op::Sweep),
    ]
}

fn submit() -> impl Strategy<Value = Op> {
    let areas = prop_oneof![
        1 => Just(AreaScope::Mainland),
        1 => Just(AreaScope::Overseas),
        3 => Just(AreaScope::Global),
    ];
    let tier = prop_oneof![Just(None), Just(Some(Tier::Edge)), Just(Some(Tier::Middle))];
    (vec(0..URLS.len(), 1..8), areas, tier, prop::bool::weighted(0.8))
        .prop_map(|(urls, areas, tier, follow)| Op::Submit { urls, areas, tier, follow })
}

fn control() -> impl Strategy<Value = Op> {
    let command = prop_oneof![4 => Just(TaskCommand::Pause), 4 => Just(TaskCommand::Resume), 1 => Just(TaskCommand::Cancel)];
    (0..20usize, command).prop_map(|(task, command)| Op::Control { task, command })
}

fn work() -> impl Strategy<Value = Op> {
    (0..12usize, 0..4usize, 0..12usize, prop::bool::weighted(0.7), fate())
        .prop_map(|(node, job, items, is_last, fate)| Op::Work { node, job, items, is_last, fate })
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        6 => Just(Fate::Delivered),
        1 => Just(Fate::RequestLost),
        1 => Just(Fate::ReplyLost),
        1 => Just(Fate::Twice),
    ]
}

fn purge() -> impl Strategy<Value = Op> {
    let what = prop_oneof![
        3 => vec(0..URLS.len(), 1..6).prop_map(What::Urls),
        1 => Just(What::Directory),
        2 => any::<bool>().prop_map(|is_mainland| What::Host { is_mainland }),
        1 => Just(What::Zone),
        2 => (0..TAGS.len()).prop_map(What::Tag),
    ];
    let areas = prop_oneof![
        2 => Just(None),
        1 => Just(Some(AreaScope::Mainland)),
        1 => Just(Some(AreaScope::Overseas)),
        1 => Just(Some(AreaScope::Global)),
    ];
    let method = prop_oneof![Just(Method::Delete), Just(Method::Invalidate)];
    (what, areas, method).prop_map(|(what, areas, method)| Op::Purge { what, areas, method })
}
