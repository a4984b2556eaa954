//! Cases that failed once, shrunk, and small ones that show how each kind of fault is met.

use stoker_domain::{
    area::{AreaScope, Tier},
    purge::Method,
};

use crate::{
    arbitrary::{Fate, Op},
    model::URLS,
    purging::What,
    run::run,
};

const EDGE: usize = 0;

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
        Op::Start { node: MIDDLE, hears_orders: true },
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
        Op::Start { node: MIDDLE, hears_orders: true },
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

fn purge(what: What) -> Op {
    Op::Purge { what, areas: None, method: Method::Delete }
}

/// One turn of a node, or of all.
fn carry_out(node: Option<usize>, fate: Fate) -> Op {
    Op::CarryOut { node, orders: 100, fate }
}

/// All nodes but those of the number `but`, one after the other.
fn all_but(but: usize) -> [Op; 5] {
    let mut nodes = (0..6).filter(|node| *node != but);
    [(); 5].map(|()| carry_out(nodes.next(), Fate::Delivered))
}

fn every_kind() -> [Op; 6] {
    [
        What::Urls(vec![0, 2, 3]),
        What::Directory,
        What::Host { is_mainland: false },
        What::Host { is_mainland: true },
        What::Zone,
        What::Tag(0),
    ]
    .map(purge)
}

/// Viewers have asked for everything everywhere.
fn views() -> Vec<Op> {
    let of_edge = |node| (0..=URLS.len()).map(move |url| Op::View { node, url });
    (0..4).flat_map(of_edge).collect()
}

#[test]
fn every_kind_of_purge_is_carried_out_and_its_quota_ends() {
    let turn = || carry_out(None, Fate::Delivered);
    let mut ops = [views(), every_kind().to_vec(), vec![turn()], views()].concat();
    ops.extend([turn(), turn(), turn()]);
    run(&[&ops[..], &every_kind(), &every_kind(), &every_kind(), &every_kind()].concat());
}

#[test]
fn edges_purge_past_a_silent_middle_node_and_again_when_it_is_back() {
    let middle_is_silent = [Op::Advance { seconds: 31 }]
        .into_iter()
        .chain(
            (0..5)
                .filter(|node| *node != MIDDLE)
                .map(|node| Op::Start { node, hears_orders: true }),
        )
        .chain([Op::Start { node: 5, hears_orders: true }, Op::Sweep]);
    let mut ops = [views(), vec![purge(What::Tag(0))], all_but(MIDDLE).to_vec()].concat();
    ops.extend(middle_is_silent);
    ops.extend(all_but(MIDDLE));
    // what the silent one serves is still the old
    ops.extend(views());
    ops.extend([carry_out(None, Fate::Delivered), Op::Sweep, carry_out(None, Fate::Twice)]);
    run(&ops);
}

#[test]
fn a_node_that_was_away_carries_out_what_it_missed_with_its_cache_or_without() {
    for (loses_cache, hears_orders) in [(false, true), (true, true), (false, false)] {
        let away = Op::Kill { node: MIDDLE, loses_cache };
        let back = Op::Start { node: MIDDLE, hears_orders };
        let ops = [views(), vec![away], every_kind().to_vec(), all_but(MIDDLE).to_vec()].concat();
        run(&[&ops[..], &[back], &views()].concat());
    }
}

#[test]
fn a_confirmation_that_is_lost_or_late_or_of_another_node_confirms_what_it_should() {
    let repeat = |message| Op::RepeatPurged { message };
    let forge = |node| Op::ForgePurged { node, order: 0 };
    run(&[
        Op::View { node: EDGE, url: 0 },
        purge(What::Urls(vec![0])),
        carry_out(Some(MIDDLE), Fate::RequestLost),
        forge(5),
        repeat(0),
        carry_out(Some(5), Fate::ReplyLost),
        repeat(0),
        forge(MIDDLE),
        Op::View { node: EDGE, url: 1 },
        carry_out(None, Fate::Twice),
        repeat(0),
        carry_out(None, Fate::RequestLost),
        carry_out(None, Fate::Delivered),
    ]);
}

#[test]
fn a_purge_survives_an_engine_that_dies_between_its_turns_and_a_clock_set_back() {
    let restart = || Op::RestartEngine { before_nodes: 6 };
    let turn = || carry_out(None, Fate::Delivered);
    let back = || Op::Jump { seconds: -86_400 };
    let purge = || purge(What::Host { is_mainland: false });
    run(&[purge(), restart(), turn(), back(), restart(), purge(), turn(), turn(), restart()]);
    run(&[purge(), Op::Advance { seconds: 600 }, Op::Advance { seconds: 1 }, restart(), turn()]);
}

#[test]
fn what_the_ledger_loses_of_a_purge_is_asked_for_again() {
    for after in 0..4 {
        for is_applied in [false, true] {
            let outage = Op::Outage { after, verbs: 2, is_applied };
            let turn = || carry_out(None, Fate::Delivered);
            let purge = || purge(What::Tag(1));
            run(&[
                outage.clone(),
                purge(),
                turn(),
                purge(),
                outage.clone(),
                turn(),
                outage,
                turn(),
            ]);
        }
    }
}
