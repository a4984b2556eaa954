//! Properties of the bucket and of the division of a limit.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::{
    account::AccountId,
    domain::{Domain, OriginLimit},
    placement::Node,
    time::Timestamp,
};

const fn demand(group: usize, wanted: u64) -> GroupDemand {
    GroupDemand { group, wanted }
}

#[test]
fn what_one_leaves_goes_to_the_others() {
    let all = u64::MAX;
    for (total, groups, demands, shares) in [
        (90, vec![all], vec![demand(0, all); 3], vec![30, 30, 30]),
        (90, vec![all], vec![demand(0, 10), demand(0, all), demand(0, all)], vec![10, 40, 40]),
        (90, vec![20, all], vec![demand(0, all), demand(0, all), demand(1, all)], vec![10, 10, 70]),
        (all, vec![20, all], vec![demand(0, 50), demand(1, 50)], vec![20, 50]),
        (90, vec![all], vec![demand(0, 0)], vec![0]),
        (90, vec![all], vec![], vec![]),
    ] {
        assert_eq!(share(total, &groups, &demands), shares, "{total} {groups:?} {demands:?}");
    }
}

proptest! {
    #[test]
    fn shares_keep_every_limit_waste_nothing_and_are_fair(
        total in 0_u64..1_000_000,
        groups in prop::collection::vec(0_u64..1_000_000, 2),
        demands in prop::collection::vec((0_usize..2, 0_u64..1_000_000), 0..9),
    ) {
        let demands: Vec<GroupDemand> = demands.into_iter().map(|(g, w)| demand(g, w)).collect();
        let shares = share(total, &groups, &demands);
        let of = |group: usize| -> u64 {
            shares.iter().zip(&demands).filter(|(_, w)| w.group == group).map(|(s, _)| s).sum()
        };
        let count = demands.len() as u64;
        prop_assert!(shares.iter().sum::<u64>() <= total);
        for (group, limit) in groups.iter().enumerate() {
            prop_assert!(of(group) <= *limit);
        }
        for (granted, demand) in shares.iter().zip(&demands) {
            prop_assert!(*granted <= demand.wanted);
            // whoever has less than it wants is held back by a limit that is used up, and nobody
            // under the same limit has more
            let total_is_used = total - shares.iter().sum::<u64>() < count;
            let group_is_used = groups[demand.group] - of(demand.group) < count;
            if *granted < demand.wanted {
                prop_assert!(total_is_used || group_is_used, "{:?} of {:?}", shares, demands);
                for (other, its) in shares.iter().zip(&demands) {
                    if its.group == demand.group {
                        prop_assert!(*other <= granted + count, "{:?} of {:?}", shares, demands);
                    }
                }
            }
        }
    }

    #[test]
    fn a_bucket_never_lets_more_pass_than_its_rate_and_a_burst_and_wastes_nothing(
        rate in 1_000_u64..50_000_000,
        draws in prop::collection::vec((1_u64..200_000, 0_u64..50), 1..200),
    ) {
        let mut bucket = Bucket::new(rate, Duration::ZERO);
        let mut now = Duration::ZERO;
        let mut passed: Vec<(Duration, u64)> = Vec::new();
        for (bytes, idle) in draws {
            now += Duration::from_millis(idle);
            let position = bucket.draw(bytes, now);
            now += bucket.wait(position, now);
            prop_assert_eq!(bucket.wait(position, now), Duration::ZERO);
            passed.push((now, bytes));
        }
        for first in 0..passed.len() {
            let mut sum = 0;
            for (at, bytes) in &passed[first..] {
                sum += bytes;
                // the first of a window may have been waited for before it
                let beyond = sum - passed[first].1;
                let time = (*at - passed[first].0 + BURST).as_nanos();
                prop_assert!(u128::from(beyond) <= time * u128::from(rate) / NANOS + 2);
            }
        }
    }

    #[test]
    fn a_bucket_with_work_left_runs_at_its_rate_through_changes_of_it(
        rates in prop::collection::vec(1_000_u64..50_000_000, 1..20),
    ) {
        let mut bucket = Bucket::new(0, Duration::ZERO);
        let mut now = Duration::ZERO;
        let mut due = 0_u128;
        let (mut passed, mut position) = (0_u64, bucket.draw(1 << 10, now));
        for rate in rates {
            bucket.set_rate(rate, now);
            let until = now + Duration::from_millis(500);
            due += u128::from(rate) * 500;
            loop {
                let wait = bucket.wait(position, now);
                if now + wait > until {
                    now = until;
                    break;
                }
                now += wait;
                passed += 1 << 10;
                position = bucket.draw(1 << 10, now);
            }
        }
        prop_assert!(u128::from(passed) <= due / 1000);
        prop_assert!(u128::from(passed) + 1100 >= due / 1000, "{} of {}", passed, due);
    }
}

#[test]
fn a_bucket_without_rate_waits_and_takes_back_what_was_not_read() {
    let mut bucket = Bucket::new(0, Duration::ZERO);
    let position = bucket.draw(10, Duration::ZERO);
    assert_eq!(bucket.wait(position, Duration::from_secs(9)), Duration::MAX);
    bucket.give_back(10);
    assert_eq!(bucket.wait(position, Duration::from_secs(9)), Duration::ZERO);
}

#[test]
fn a_bucket_that_was_idle_gives_a_burst_and_no_more() {
    let mut bucket = Bucket::new(1_000_000, Duration::ZERO);
    let later = Duration::from_secs(60);
    assert_eq!(bucket.rate(), 1_000_000);
    let burst = bucket.draw(150_000, later);
    assert_eq!(bucket.wait(burst, later), Duration::ZERO);
    let next = bucket.draw(1, later);
    assert_eq!(bucket.wait(next, later), Duration::from_micros(1));
    bucket.set_rate(2_000_000, later);
    assert_eq!((bucket.rate(), bucket.wait(next, later)), (2_000_000, Duration::from_nanos(500)));
}

#[test]
fn what_is_left_of_a_byte_shortens_the_next_wait() {
    let mut bucket = Bucket::new(3, Duration::ZERO);
    let (first, second) = (bucket.draw(1, Duration::ZERO), bucket.draw(1, Duration::ZERO));
    // a third of a second each, rounded up once and not twice
    let wait = bucket.wait(first, Duration::ZERO);
    assert_eq!(wait, Duration::from_nanos(333_333_334));
    assert_eq!(bucket.wait(second, wait), Duration::from_nanos(333_333_333));
    let between = Duration::from_millis(500);
    assert_eq!(bucket.wait(second, between), Duration::from_nanos(166_666_667));
}

fn directory(limits: &[(Area, u32)]) -> Directory {
    let limit = |(area, megabits_per_second): &(Area, u32)| OriginLimit {
        area: *area,
        megabits_per_second: *megabits_per_second,
        created_at: Timestamp::default(),
        updated_at: Timestamp::default(),
    };
    let origin = "http://origin.example.com".parse().unwrap();
    let mut domain = Domain::new("a.example", AccountId(1), origin, Timestamp::default());
    domain.origin_limits = limits.iter().map(limit).collect();
    let mut directory = Directory::default();
    directory.put_domain(domain.for_nodes());
    directory
}

#[test]
fn a_domain_is_bound_by_its_own_limits_and_by_those_of_its_tasks() {
    let mut directory = directory(&[(Area::Overseas, 8)]);
    let own = directory.limits("a.example");
    assert_eq!(own, Limits { overseas: Some(1_000_000), ..Limits::default() });
    assert!(own.is_any() && own.is_free(Area::Mainland) && !own.is_free(Area::Overseas));
    assert_eq!((own.of(Area::Mainland), own.of(Area::Overseas)), (None, Some(1_000_000)));
    assert_eq!(directory.limits("b.example"), Limits::default());
    assert!(!Limits::default().is_any());
    directory.set_task_limits(HashMap::from([("a.example".into(), 16)]));
    let both = directory.limits("a.example");
    assert_eq!(both, Limits { total: Some(2_000_000), ..own });
    assert!(both.is_any() && !both.is_free(Area::Mainland) && !both.is_free(Area::Overseas));
    assert!(Limits { mainland: Some(1), ..Limits::default() }.is_any());
}

#[test]
fn without_a_grant_a_node_reads_its_share_of_the_tightest_limit() {
    let mut directory = directory(&[(Area::Overseas, 8)]);
    let node = |name: &str, area, tier| Node {
        name: name.into(),
        area,
        tier,
        cluster: name.into(),
        address: String::new(),
    };
    let floor = |directory: &Directory, area| directory.floor("a.example", area);
    assert_eq!(floor(&directory, Area::Mainland), None);
    assert_eq!(floor(&directory, Area::Overseas), Some(1_000_000), "nobody else may read");
    directory.put_node(node("middle-1", Area::Overseas, Tier::Middle));
    directory.put_node(node("middle-2", Area::Overseas, Tier::Middle));
    directory.put_node(node("middle-3", Area::Mainland, Tier::Middle));
    directory.put_node(node("edge", Area::Overseas, Tier::Edge));
    assert_eq!(floor(&directory, Area::Overseas), Some(500_000), "edges do not read");
    directory.set_task_limits(HashMap::from([("a.example".into(), 8)]));
    assert_eq!(floor(&directory, Area::Overseas), Some(333_333));
    assert_eq!(floor(&directory, Area::Mainland), Some(333_333));
    directory.set_task_limits(HashMap::from([("a.example".into(), 24)]));
    assert_eq!(floor(&directory, Area::Overseas), Some(500_000));
    assert_eq!(floor(&directory, Area::Mainland), Some(1_000_000));
}
