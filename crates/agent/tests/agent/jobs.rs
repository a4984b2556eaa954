//! Leases, heartbeats and reports: what the agent does about each answer.

use tokio::time::sleep;

use crate::fixture::{Call, Failure, Fixture, SESSION, millis};

const PAUSE: Failure = Failure::SlowDown(millis(7000));

fn is_lease(call: &Call) -> bool {
    matches!(call, Call::Lease(_))
}

fn is_beat(call: &Call) -> bool {
    matches!(call, Call::Heartbeat(..))
}

fn is_report(call: &Call) -> bool {
    matches!(call, Call::Report(..))
}

#[tokio::test(start_paused = true)]
async fn a_job_is_leased_prefetched_and_reported() {
    let fixture = Fixture::start().await;
    fixture.engine.offer(1, 3);
    fixture.ended(1).await;
    let calls = fixture.engine.calls();
    assert_eq!(calls[..2], [Call::Register(SESSION), Call::OpenPurges]);
    let items: usize = fixture
        .engine
        .reports()
        .iter()
        .map(|call| if let Call::Report(1, items, _) = call { items.len() } else { 0 })
        .sum();
    assert_eq!(items, 3);
    assert!(calls.contains(&Call::Lease(2)), "all room is offered");
}

#[tokio::test(start_paused = true)]
async fn many_items_go_in_few_reports_and_are_in_work_within_the_bound() {
    let fixture = Fixture::start().await;
    fixture.engine.offer(1, 500);
    fixture.ended(1).await;
    let reports = fixture.engine.reports();
    assert!(reports.len() <= 20, "{} reports", reports.len());
    let mut positions: Vec<u16> = reports
        .iter()
        .flat_map(|call| if let Call::Report(_, items, _) = call { &items[..] } else { &[] })
        .copied()
        .collect();
    positions.sort_unstable();
    assert_eq!(positions, (0..500).collect::<Vec<_>>());
    assert!(fixture.store.most() <= 8, "{} at once", fixture.store.most());
}

#[tokio::test(start_paused = true)]
async fn no_more_jobs_are_leased_than_there_is_room_for() {
    let fixture = Fixture::start().await;
    fixture.store.hold("/");
    for id in 1..=3 {
        fixture.engine.offer(id, 1);
    }
    fixture.until("two jobs in work", || fixture.store.running().len() == 2).await;
    sleep(millis(20_000)).await;
    assert_eq!(fixture.store.running(), ["/1/0", "/2/0"]);
    fixture.store.release();
    fixture.ended(3).await;
    assert_eq!(fixture.engine.reports().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn heartbeats_tell_progress_while_items_are_in_work() {
    let fixture = Fixture::start().await;
    fixture.store.hold("/1/1");
    fixture.engine.offer(1, 2);
    sleep(millis(3500)).await;
    let beats: Vec<_> = fixture.engine.calls().into_iter().filter(is_beat).collect();
    assert_eq!(beats, vec![Call::Heartbeat(1, 1); 3], "the item that is done is told no more");
    assert_eq!(fixture.engine.reports(), [Call::Report(1, vec![0], false)]);
    fixture.store.release();
    fixture.ended(1).await;
    let beats = fixture.engine.count(is_beat);
    sleep(millis(5000)).await;
    assert_eq!(fixture.engine.count(is_beat), beats, "no beat after the last report");
}

#[tokio::test(start_paused = true)]
async fn heartbeats_tell_of_items_in_work_alone() {
    let fixture = Fixture::start().await;
    fixture.store.hold("/1");
    fixture.engine.offer(1, 10);
    fixture.until("a beat", || fixture.engine.count(is_beat) > 0).await;
    let beats: Vec<_> = fixture.engine.calls().into_iter().filter(is_beat).collect();
    assert_eq!(beats[0], Call::Heartbeat(1, 8), "two wait for room");
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_lost_at_a_heartbeat_ends_the_work_at_once() {
    let fixture = Fixture::start().await;
    fixture.store.hold("/1");
    fixture.engine.offer(1, 5);
    fixture.engine.fail("heartbeat", &[Failure::LeaseLost]);
    fixture.until("items in work", || fixture.store.running().len() == 5).await;
    fixture.until("all given up", || fixture.store.running().is_empty()).await;
    fixture.store.release();
    fixture.engine.offer(2, 1);
    fixture.ended(2).await;
    assert_eq!(fixture.engine.reports(), [Call::Report(2, vec![0], true)], "nothing of job 1");
    assert_eq!(fixture.engine.registrations(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_ends_before_its_time_ends_the_work_before_the_next_heartbeat() {
    let fixture = Fixture::start().await;
    fixture.store.hold("/1");
    fixture.store.hold("/2");
    fixture.engine.offer(1, 3);
    fixture.engine.offer(2, 1);
    fixture.until("items in work", || fixture.store.running().len() == 4).await;
    let beats = fixture.engine.count(is_beat);
    fixture.engine.lose(1);
    fixture.until("job 1 given up", || fixture.store.running() == ["/2/0"]).await;
    assert_eq!(fixture.engine.count(is_beat), beats);
    fixture.store.release();
    fixture.ended(2).await;
    assert_eq!(fixture.engine.reports(), [Call::Report(2, vec![0], true)], "nothing of job 1");
}

#[tokio::test(start_paused = true)]
async fn a_loss_that_is_faster_than_its_job_counts_and_one_of_another_does_not() {
    let fixture = Fixture::start().await;
    fixture.store.hold("/");
    fixture.engine.lose(1);
    sleep(millis(200)).await;
    fixture.engine.offer(1, 1);
    fixture.engine.offer(2, 1);
    fixture.until("job 2 in work", || fixture.store.running() == ["/2/0"]).await;
    fixture.engine.lose(3);
    sleep(millis(500)).await;
    assert_eq!(fixture.store.running(), ["/2/0"]);
    fixture.store.release();
    fixture.ended(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_lost_at_a_report_ends_the_work_and_frees_the_place() {
    let fixture = Fixture::start().await;
    fixture.store.hold("/1/1");
    fixture.engine.offer(1, 2);
    fixture.engine.fail("report", &[Failure::LeaseLost]);
    fixture.until("the report", || fixture.engine.count(is_report) == 1).await;
    fixture.until("all given up", || fixture.store.running().is_empty()).await;
    sleep(millis(5000)).await;
    assert_eq!(fixture.engine.count(is_report), 1, "it is not repeated");
    fixture.store.hold("/");
    for id in 2..=3 {
        fixture.engine.offer(id, 1);
    }
    fixture.until("both places are used", || fixture.store.running().len() == 2).await;
}

#[tokio::test(start_paused = true)]
async fn a_report_is_repeated_with_growing_pauses_until_it_is_answered() {
    let fixture = Fixture::start().await;
    let failures = [Failure::AnswerLost, Failure::Unreachable, Failure::AnswerLost];
    fixture.engine.fail("report", &failures);
    fixture.engine.offer(1, 2);
    fixture.until("four reports", || fixture.engine.count(is_report) == 4).await;
    let last = fixture.engine.reports().pop().unwrap();
    assert_eq!(fixture.engine.reports(), vec![last; 4], "each says the same");
    let at = fixture.engine.moments(is_report);
    for (n, full) in [100, 200, 400].into_iter().enumerate() {
        let pause = at[n + 1] - at[n];
        assert!((full / 2..=full + 1).contains(&pause), "{n}: {at:?}");
    }
    sleep(millis(10_000)).await;
    assert_eq!(fixture.engine.count(is_report), 4);
    assert_eq!(fixture.engine.registrations(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_not_known_registers_again_with_its_session() {
    for kind in ["lease", "report", "heartbeat"] {
        let fixture = Fixture::with(|engine, _| engine.fail(kind, &[Failure::NotRegistered]));
        fixture.store.hold("/1");
        fixture.engine.offer(1, 1);
        fixture.until("in work", || !fixture.store.running().is_empty()).await;
        sleep(millis(2000)).await;
        fixture.store.release();
        fixture.until("again", || fixture.engine.registrations() == 2).await;
        sleep(millis(2000)).await;
        let last = Call::Report(1, vec![0], true);
        let sent = if kind == "report" { 2 } else { 1 };
        assert_eq!(fixture.engine.reports(), vec![last; sent], "{kind}: the lease holds still");
        let is_ours = |call: &Call| *call == Call::Register(SESSION);
        assert_eq!(fixture.engine.count(is_ours), 2, "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_never_knows_the_node_is_not_flooded() {
    let fixture = Fixture::start().await;
    fixture.engine.fail("lease", &[Failure::NotRegistered; 1000]);
    sleep(millis(60_000)).await;
    let leases = fixture.engine.count(is_lease);
    assert!((5..40).contains(&leases), "{leases} calls in a minute");
    assert!(fixture.engine.registrations() <= leases + 1);
}

#[tokio::test(start_paused = true)]
async fn leases_that_fail_register_and_pauses_grow_to_seconds() {
    let fixture = Fixture::start().await;
    fixture.engine.fail("lease", &[Failure::Unreachable; 9]);
    fixture.until("ten calls", || fixture.engine.count(is_lease) >= 10).await;
    assert!(fixture.engine.registrations() >= 9, "an engine that was away may have forgotten");
    let at = fixture.engine.moments(is_lease);
    let pauses: Vec<u64> = at.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(pauses.iter().all(|pause| *pause <= 5001), "{pauses:?}");
    assert!(pauses[7..9].iter().all(|pause| *pause >= 2500), "{pauses:?}");
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_asks_to_slow_down_is_left_alone_for_that_long() {
    let fixture = Fixture::with(|engine, _| engine.fail("lease", &[PAUSE]));
    fixture.engine.offer(1, 1);
    fixture.ended(1).await;
    let at = fixture.engine.moments(is_lease);
    assert!(at[1] - at[0] >= 7000, "{at:?}");
    assert_eq!(fixture.engine.registrations(), 1, "it knows the node");
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_asks_for_an_hour_is_called_before_leases_end() {
    let fixture =
        Fixture::with(|engine, _| engine.fail("lease", &[Failure::SlowDown(millis(3_600_000))]));
    fixture.engine.offer(1, 1);
    fixture.ended(1).await;
    let at = fixture.engine.moments(is_lease);
    assert!((10_000..11_000).contains(&(at[1] - at[0])), "{at:?}");
}

#[tokio::test(start_paused = true)]
async fn reports_and_heartbeats_slow_down_too_and_the_work_goes_on() {
    let fixture = Fixture::start().await;
    fixture.store.hold("/1/1");
    fixture.engine.offer(1, 2);
    fixture.engine.fail("report", &[PAUSE]);
    fixture.until("both", || fixture.engine.count(is_report) == 2).await;
    let at = fixture.engine.moments(is_report);
    assert!(at[1] - at[0] >= 7000, "{at:?}");
    fixture.engine.fail("heartbeat", &[PAUSE]);
    let before = fixture.engine.count(is_beat);
    fixture.until("two beats", || fixture.engine.count(is_beat) >= before + 2).await;
    let at = fixture.engine.moments(is_beat);
    assert!(at[before + 1] - at[before] >= 7000, "{at:?}");
    assert_eq!(fixture.store.running(), ["/1/1"]);
    fixture.store.release();
    fixture.ended(1).await;
}

#[tokio::test(start_paused = true)]
async fn heartbeats_that_are_not_answered_end_no_work() {
    let fixture = Fixture::start().await;
    fixture.store.hold("/1");
    fixture.engine.offer(1, 1);
    fixture.engine.fail("heartbeat", &[Failure::Unreachable; 5]);
    fixture.until("six beats", || fixture.engine.count(is_beat) == 6).await;
    assert_eq!(fixture.store.running(), ["/1/0"]);
    fixture.store.release();
    fixture.ended(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_gives_back_what_is_not_done() {
    let fixture = Fixture::start().await;
    fixture.store.hold("/1/1");
    fixture.engine.offer(1, 2);
    fixture.until("the first", || fixture.engine.count(is_report) == 1).await;
    let engine = std::sync::Arc::clone(&fixture.engine);
    fixture.stop().await;
    let given_back = Call::Report(1, Vec::new(), true);
    assert_eq!(engine.reports(), [Call::Report(1, vec![0], false), given_back]);
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_no_engine() {
    let fixture = Fixture::start().await;
    fixture.store.hold("/1");
    fixture.engine.offer(1, 1);
    fixture.until("in work", || !fixture.store.running().is_empty()).await;
    fixture.engine.be_deaf(true);
    let store = std::sync::Arc::clone(&fixture.store);
    fixture.stop().await;
    assert!(store.running().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_item_that_panics_is_left_out_of_the_report() {
    let fixture = Fixture::start().await;
    fixture.store.panic_at("/1/1");
    fixture.engine.offer(1, 3);
    fixture.ended(1).await;
    let reported: Vec<_> = fixture.engine.reports();
    let has = |position| {
        reported
            .iter()
            .any(|call| matches!(call, Call::Report(_, items, _) if items.contains(&position)))
    };
    assert_eq!([0, 1, 2].map(has), [true, false, true]);
}

#[tokio::test(start_paused = true)]
async fn the_health_of_the_store_is_told_every_few_seconds_whatever_the_engine_answers() {
    let fixture = Fixture::start().await;
    fixture.engine.fail("health", &[Failure::NotRegistered, Failure::SlowDown(millis(1))]);
    sleep(millis(21_000)).await;
    let told = fixture.engine.count(|call| *call == Call::Health(42));
    assert!((4..=6).contains(&told), "{told} times");
}
