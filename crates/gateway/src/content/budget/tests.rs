//! The budget: its bounds hold whatever is taken, given back and given up, and the queue is fair.

use std::task::Poll;

use proptest::prelude::*;
use tokio::task::yield_now;

use super::*;

const AT: Holder = Holder::Address(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));
const OTHER: Holder = Holder::Address(IpAddr::V6(Ipv6Addr::LOCALHOST));
const OF: Holder = Holder::Account(AccountId(1));
const LONG: Duration = Duration::from_secs(3600);

impl Budget {
    fn is_at_rest(&self) -> bool {
        let stats = self.stats();
        stats.held == 0 && stats.waiting == 0 && self.shares.lock().unwrap().is_empty()
    }
}

/// Something that happens to a budget.
#[derive(Clone, Debug)]
enum Step {
    /// Somebody takes bytes, or is refused at once.
    Take { holders: Vec<Holder>, bytes: usize },
    /// Waits for bytes, and gives up if they are not there at once.
    GiveUp { holders: Vec<Holder>, bytes: usize },
    /// One of those who took gives some back.
    Shrink { which: usize, bytes: usize },
    /// One of those who took gives all back.
    Drop { which: usize },
}

fn steps() -> impl Strategy<Value = Step> {
    let holders = prop::sample::select(vec![
        vec![],
        vec![AT],
        vec![OTHER],
        vec![OF],
        vec![AT, OF],
        vec![OTHER, OF],
        vec![AT, Holder::Nameless],
        vec![OTHER, Holder::Nameless],
    ]);
    prop_oneof![
        3 => (holders.clone(), 0..60_usize)
            .prop_map(|(holders, bytes)| Step::Take { holders, bytes }),
        1 => (holders, 0..60_usize).prop_map(|(holders, bytes)| Step::GiveUp { holders, bytes }),
        1 => (any::<usize>(), 0..60_usize).prop_map(|(which, bytes)| Step::Shrink { which, bytes }),
        2 => any::<usize>().prop_map(|which| Step::Drop { which }),
    ]
}

/// What the budget should hold: bytes with their holders.
type Model = Vec<(Vec<Holder>, usize)>;

fn held(model: &Model, holder: Option<Holder>) -> usize {
    let counts = |(holders, _): &&(Vec<Holder>, usize)| {
        holder.is_none_or(|holder| holders.contains(&holder))
    };
    model.iter().filter(counts).map(|(_, bytes)| bytes).sum()
}

async fn run(most: usize, largest: usize, steps: Vec<Step>) {
    let budget = Budget::new(most, largest, Duration::ZERO);
    let patient = Budget { patience: LONG, ..Arc::try_unwrap(budget).unwrap() };
    let budget = Arc::new(patient);
    let most = most.max(largest);
    let share = |holder: Holder| (most / holder.divisor()).max(largest);
    let (mut taken, mut model, mut peak) = (Vec::new(), Model::new(), 0);
    for step in steps {
        match step {
            Step::Take { holders, bytes } | Step::GiveUp { holders, bytes } if bytes > largest => {
                assert!(matches!(budget.take(&holders, bytes).await, Err(Full::Budget)));
            }
            Step::Take { ref holders, bytes } | Step::GiveUp { ref holders, bytes } => {
                let fits = held(&model, None) + bytes <= most
                    && holders
                        .iter()
                        .all(|holder| held(&model, Some(*holder)) + bytes <= share(*holder));
                let mut taking = Box::pin(budget.take(holders, bytes));
                let polled = futures_poll_once(&mut taking).await;
                assert_eq!(polled.is_ready(), fits, "{step:?} with {model:?}");
                let is_kept = matches!(step, Step::Take { .. });
                if let (Poll::Ready(got), true) = (polled, is_kept) {
                    taken.push(got.unwrap());
                    model.push((holders.clone(), bytes));
                }
                peak = peak.max(held(&model, None) + if is_kept || !fits { 0 } else { bytes });
            }
            Step::Shrink { which, bytes } if !taken.is_empty() => {
                let which = which % taken.len();
                taken[which].shrink(bytes);
                model[which].1 = model[which].1.min(bytes);
            }
            Step::Drop { which } if !taken.is_empty() => {
                let which = which % taken.len();
                taken.swap_remove(which);
                model.swap_remove(which);
            }
            Step::Shrink { .. } | Step::Drop { .. } => {}
        }
        let stats = budget.stats();
        assert_eq!((stats.held, stats.waiting), (held(&model, None), 0));
        assert!(stats.held <= most && stats.peak == peak && peak <= most);
    }
    taken.clear();
    assert!(budget.is_at_rest(), "{budget:?}");
}

/// Polls once, with a waker that does nothing.
async fn futures_poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    std::future::poll_fn(|context| Poll::Ready(std::pin::Pin::new(&mut *future).poll(context)))
        .await
}

proptest! {
    #[test]
    fn whatever_happens_the_bounds_hold_and_everything_comes_back(
        most in 1..200_usize, largest in 1..60_usize,
        steps in prop::collection::vec(steps(), 0..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_time().start_paused(true).build().unwrap();
        runtime.block_on(run(most, largest, steps));
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_served_in_turn_and_at_most_for_the_patience() {
    let budget = Budget::new(100, 100, LONG);
    let first = budget.take(&[], 60).await.unwrap();
    let wait = |bytes| {
        let budget = Arc::clone(&budget);
        stoker_testkit::spawn(async move { budget.take(&[], bytes).await })
    };
    let large = wait(80);
    while budget.stats().waiting < 1 {
        yield_now().await;
    }
    let small = wait(30);
    while budget.stats().waiting < 2 {
        yield_now().await;
    }
    assert_eq!(budget.stats().held, 60, "the small one does not go before the large one");
    drop(first);
    let large = large.await.unwrap().unwrap();
    assert!(!small.is_finished());
    assert_eq!(budget.stats().held, 80);
    // paused time moves on as soon as there is nothing else to do
    assert_eq!(small.await.unwrap().err(), Some(Full::Budget));
    drop(large);
    assert!(budget.is_at_rest());
    let stats = budget.stats();
    assert_eq!((stats.refused_budget, stats.refused_share, stats.peak), (1, 0, 80));
}

#[tokio::test(start_paused = true)]
async fn one_holders_queue_is_not_in_front_of_another_holder() {
    let budget = Budget::new(100, 25, LONG);
    let kept = budget.take(&[AT], 25).await.unwrap();
    let waits = {
        let budget = Arc::clone(&budget);
        stoker_testkit::spawn(async move { budget.take(&[AT, OF], 1).await.err() })
    };
    while budget.stats().waiting < 1 {
        yield_now().await;
    }
    for holder in [OTHER, OF, Holder::Nameless] {
        assert!(budget.take(&[holder], 25).await.is_ok(), "{holder:?}");
    }
    assert_eq!(waits.await.unwrap(), Some(Full::Share));
    drop(kept);
    assert!(budget.is_at_rest());
}

#[test]
fn an_ipv6_network_is_one_holder_and_an_ipv4_address_is_one_however_it_is_written() {
    let at = |text: &str| Holder::at(text.parse().unwrap());
    assert_eq!(at("2001:db8::1"), at("2001:db8::ffff:2"));
    assert_ne!(at("2001:db8::1"), at("2001:db8:0:1::1"));
    assert_eq!(at("::ffff:192.0.2.1"), at("192.0.2.1"));
    assert_ne!(at("192.0.2.1"), at("192.0.2.2"));
}
