//! Purge orders: the order in which they are carried out, what is confirmed, and who is answered
//! meanwhile.

use tokio::time::sleep;

use crate::fixture::{Call, Failure, Fixture, PATIENCE, millis};

fn confirmed(fixture: &Fixture) -> Vec<u64> {
    let confirmed = |call| if let Call::Confirm(number) = call { Some(number) } else { None };
    fixture.engine.calls().into_iter().filter_map(confirmed).collect()
}

#[tokio::test(start_paused = true)]
async fn what_was_purged_while_it_was_away_is_carried_out_before_it_answers_and_leases() {
    let fixture = Fixture::with(|engine, store| {
        engine.order(1);
        engine.order(2);
        store.hold_purges(true);
    });
    fixture.engine.offer(1, 1);
    sleep(millis(5000)).await;
    assert!(!fixture.readiness.is_ready());
    assert_eq!(fixture.engine.count(|call| matches!(call, Call::Lease(_))), 0);
    fixture.store.hold_purges(false);
    fixture.readiness.ready().await;
    assert_eq!((fixture.store.purged(), confirmed(&fixture)), (vec![1, 2], vec![1, 2]));
    fixture.ended(1).await;
}

#[tokio::test(start_paused = true)]
async fn without_a_word_of_the_engine_it_answers_after_its_patience() {
    let fixture = Fixture::with(|engine, _| engine.be_deaf(true));
    sleep(PATIENCE - millis(100)).await;
    assert!(!fixture.readiness.is_ready());
    sleep(millis(200)).await;
    assert!(fixture.readiness.is_ready());
    // and it still catches up before it leases
    fixture.engine.order(1);
    fixture.engine.offer(1, 1);
    fixture.engine.be_deaf(false);
    fixture.ended(1).await;
    assert_eq!(confirmed(&fixture), [1]);
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_is_heard_now_and_then_is_waited_for() {
    let fixture = Fixture::with(|engine, store| {
        engine.order(1);
        // each attempt registers, so the engine is heard, and then fails
        engine.fail("open_purges", &[Failure::Unreachable; 6]);
        store.refuse_purges(0);
    });
    fixture.readiness.ready().await;
    assert_eq!(confirmed(&fixture), [1], "nothing is answered before the order is carried out");
    assert_eq!(fixture.engine.registrations(), 7);
}

#[tokio::test(start_paused = true)]
async fn orders_that_come_later_are_carried_out_one_after_the_other_and_confirmed() {
    let fixture = Fixture::start().await;
    for number in [3, 4, 7] {
        fixture.engine.order(number);
    }
    fixture.until("all", || confirmed(&fixture) == [3, 4, 7]).await;
    assert_eq!(fixture.store.purged(), [3, 4, 7]);
    assert!(fixture.readiness.is_ready(), "it answers meanwhile");
}

#[tokio::test(start_paused = true)]
async fn an_order_whose_confirmation_is_lost_comes_again() {
    let fixture = Fixture::start().await;
    fixture.engine.fail("confirm", &[Failure::AnswerLost, Failure::Unreachable]);
    fixture.engine.order(5);
    fixture.until("confirmed", || confirmed(&fixture).len() == 3).await;
    sleep(millis(10_000)).await;
    assert_eq!((fixture.store.purged(), confirmed(&fixture)), (vec![5; 3], vec![5; 3]));
}

#[tokio::test(start_paused = true)]
async fn an_order_that_is_not_durable_is_not_confirmed() {
    let fixture = Fixture::start().await;
    fixture.store.refuse_purges(2);
    fixture.engine.order(5);
    fixture.engine.order(6);
    fixture.until("both", || confirmed(&fixture).len() == 2).await;
    assert_eq!(fixture.store.purged(), [5, 5, 5, 6], "none is carried out before the one below");
    assert_eq!(confirmed(&fixture), [5, 6]);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_not_known_any_more_registers_and_asks_for_orders_again() {
    let fixture = Fixture::start().await;
    fixture.engine.fail("confirm", &[Failure::NotRegistered]);
    fixture.engine.order(1);
    fixture.until("confirmed", || confirmed(&fixture) == [1, 1]).await;
    assert_eq!(fixture.engine.registrations(), 2);
}

#[tokio::test(start_paused = true)]
async fn after_a_long_absence_nobody_is_answered_while_it_catches_up() {
    for (away, is_long) in [(PATIENCE / 2, false), (PATIENCE * 2, true)] {
        let fixture = Fixture::start().await;
        sleep(millis(100)).await;
        fixture.engine.be_deaf(true);
        sleep(away).await;
        assert!(fixture.readiness.is_ready(), "old content is better than none");
        fixture.store.hold_purges(true);
        fixture.engine.order(9);
        fixture.engine.be_deaf(false);
        sleep(millis(8000)).await;
        assert_eq!(fixture.readiness.is_ready(), !is_long, "{away:?}");
        fixture.store.hold_purges(false);
        fixture.until("confirmed", || confirmed(&fixture) == [9]).await;
        fixture.readiness.ready().await;
    }
}
