//! Cases that failed once, shrunk, and small ones that show how each kind of fault is met.

use stoker_domain::area::{AreaScope, Tier};

use crate::{
    arbitrary::{Fate, Op},
    run::run,
};

/// Mainland's middle node in [`crate::model::NODES`].
const MIDDLE: usize = 4;

fn submit(urls: &[usize]) -> Op {
    let (areas, tier) = (AreaScope::Mainland, Some(Tier::Middle));
    Op::Submit { urls: urls.to_vec(), areas, tier, follow: true }
}

fn lease() -> Op {
    Op::Lease { node: Some(MIDDLE), limit: 3, is_lost: false }
}

fn work(fate: Fate) -> Op {
    Op::Work { node: 0, job: 0, items: 100, is_last: true, fate }
}

#[test]
fn a_report_whose_request_was_lost_is_made_again_under_another_lease() {
    run(&[submit(&[0, 1]), lease(), work(Fate::RequestLost), Op::Advance { seconds: 31 }, lease()]);
}

#[test]
fn a_report_that_comes_again_after_the_lease_went_to_another_changes_nothing() {
    run(&[
        submit(&[0, 8]),
        lease(),
        work(Fate::ReplyLost),
        Op::Repeat { message: 0 },
        Op::Kill { node: MIDDLE, loses_cache: true },
        Op::Repeat { message: 0 },
        Op::Start { node: MIDDLE },
        Op::Repeat { message: 0 },
    ]);
}

#[test]
fn a_node_that_died_with_its_cache_fetches_anew_what_it_had_not_reported() {
    run(&[
        submit(&[0, 1, 2, 4]),
        lease(),
        Op::Work { node: 0, job: 0, items: 2, is_last: false, fate: Fate::Delivered },
        Op::Kill { node: MIDDLE, loses_cache: true },
        Op::Start { node: MIDDLE },
        lease(),
    ]);
}

#[test]
fn children_are_written_once_though_every_holder_names_them() {
    let areas = AreaScope::Global;
    run(&[Op::Submit { urls: vec![8, 9, 10], areas, tier: Some(Tier::Edge), follow: true }]);
}

#[test]
fn a_playlist_whose_children_could_not_be_written_is_not_settled() {
    for after in 0..6 {
        let outage = Op::Outage { after, verbs: 1, is_applied: false };
        run(&[submit(&[8]), lease(), outage, work(Fate::Delivered), lease()]);
    }
}

#[test]
fn a_clock_set_back_by_a_day_holds_nothing_up() {
    run(&[submit(&[6]), lease(), work(Fate::Delivered), Op::Jump { seconds: -86_400 }]);
    let restart = Op::RestartEngine { before_nodes: 100 };
    run(&[submit(&[6]), lease(), Op::Jump { seconds: -86_400 }, restart]);
    let nobody_asks_before = Op::RestartEngine { before_nodes: 0 };
    run(&[submit(&[0]), Op::Jump { seconds: -596 }, nobody_asks_before]);
}

#[test]
fn what_is_submitted_before_all_nodes_registered_is_planned_on_all_of_them() {
    let areas = AreaScope::Overseas;
    run(&[
        Op::RestartEngine { before_nodes: 3 },
        Op::Submit { urls: vec![0], areas, tier: None, follow: false },
    ]);
}

#[test]
fn an_answer_that_the_ledger_loses_is_no_lost_task() {
    let outage = |verbs, is_applied| Op::Outage { after: 0, verbs, is_applied };
    run(&[submit(&[0]), outage(2, true), submit(&[1]), outage(2, false), submit(&[2]), lease()]);
    run(&[submit(&[9]), lease(), outage(9, true), work(Fate::Twice), outage(0, true), lease()]);
}
