//! Pace: how fast the origin of a domain is read for prefetches.
//!
//! A [`Bucket`] holds one node to a rate; [`share`] divides a limit among nodes, max-min fair.
//! A node sends a [`Demand`], the engine answers with a [`Grant`]: a lease that expires, so that an engine
//! or a node that stops answering never leads to more than the limit.
//! Nothing here knows which bytes are a viewer's: those are never counted.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    area::{Area, Tier},
    directory::Directory,
};

/// How long a grant counts. Renewed several times within it.
pub const LEASE: Duration = Duration::from_secs(1);
/// How much time an idle bucket may save up.
pub const BURST: Duration = Duration::from_millis(150);

const NANOS: u128 = 1_000_000_000;

/// Bytes per second of `megabits` (10^6 bits) per second.
pub const fn bytes_per_second(megabits: u32) -> u64 {
    megabits as u64 * 125_000
}

/// What one node wants to read from the origin of one domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Demand {
    /// The domain.
    pub host: String,
    /// Bytes per second that it could take; `u64::MAX` while the limit is what holds it back.
    pub wanted: u64,
    /// Bytes read since the last message.
    pub used: u64,
}

/// How fast one node may read from the origin of one domain, for `lease_ms` from now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The domain.
    pub host: String,
    /// Bytes per second; absent = as fast as it can.
    pub bytes_per_second: Option<u64>,
    /// How long the grant counts.
    pub lease_ms: u64,
}

/// The limits that bind one domain, in bytes per second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Over all nodes: the lowest of the running tasks'.
    pub total: Option<u64>,
    /// Over the nodes of the mainland.
    pub mainland: Option<u64>,
    /// Over the nodes overseas.
    pub overseas: Option<u64>,
}

impl Limits {
    /// Over the nodes of `area`.
    pub const fn of(&self, area: Area) -> Option<u64> {
        match area {
            Area::Mainland => self.mainland,
            Area::Overseas => self.overseas,
        }
    }

    /// Whether anything binds any node.
    pub const fn is_any(&self) -> bool {
        self.total.is_some() || self.mainland.is_some() || self.overseas.is_some()
    }

    /// Whether nothing binds a node of `area`.
    pub const fn is_free(&self, area: Area) -> bool {
        self.total.is_none() && self.of(area).is_none()
    }
}

impl Directory {
    /// The limits of the domain `host`: its own, and those of the tasks that run on it.
    pub fn limits(&self, host: &str) -> Limits {
        let mut limits =
            Limits { total: self.task_limit(host).map(bytes_per_second), ..Limits::default() };
        for own in self.named(host).iter().flat_map(|domain| &domain.origin_limits) {
            let limit = Some(bytes_per_second(own.megabits_per_second));
            match own.area {
                Area::Mainland => limits.mainland = limit,
                Area::Overseas => limits.overseas = limit,
            }
        }
        limits
    }

    /// What a node of `area` may read of `host` without a grant: its equal share among all nodes that might
    /// read too. `None` when nothing binds it.
    pub fn floor(&self, host: &str, area: Area) -> Option<u64> {
        let limits = self.limits(host);
        let readers = |area: Option<Area>| {
            let middles = self.fleet().nodes().iter().filter(|node| node.tier == Tier::Middle);
            let within = middles.filter(|node| area.is_none_or(|area| node.area == area));
            (within.count() as u64).max(1)
        };
        // rounded down: all floors together stay within the limit
        let total = limits.total.map(|limit| limit / readers(None));
        let own = limits.of(area).map(|limit| limit / readers(Some(area)));
        [total, own].into_iter().flatten().min()
    }
}

/// What one of several demands of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupDemand {
    /// Index of the group whose limit binds it too.
    pub group: usize,
    /// Bytes per second.
    pub wanted: u64,
}

/// Divides `total` among `demands`, max-min fair: nobody gets more than it wants, no group more than
/// its limit, and what one leaves goes to the others. `u64::MAX` stands for no limit.
pub fn share(total: u64, groups: &[u64], demands: &[GroupDemand]) -> Vec<u64> {
    let mut granted = vec![0_u64; demands.len()];
    let mut open: Vec<usize> = (0..demands.len()).collect();
    let (mut left, mut group_left) = (total, groups.to_vec());
    while !open.is_empty() {
        let in_group = |group: usize| open.iter().filter(|i| demands[**i].group == group).count();
        let of_group = |group: usize| group_left[group] / (in_group(group) as u64).max(1);
        let even = left / open.len() as u64;
        let room = |i: usize| (demands[i].wanted - granted[i]).min(of_group(demands[i].group));
        // all who are open rise by the same step, until the first of them has what it wants or its
        // group is full; each round ends at least one, so that there are no more rounds than
        // demands
        let step = open.iter().map(|i| room(*i)).min().unwrap_or(0).min(even);
        for i in &open {
            granted[*i] += step;
            left = take(left, step);
            group_left[demands[*i].group] = take(group_left[demands[*i].group], step);
        }
        // what is left over is less than one byte for each, and stays with nobody
        let before = open.len() as u64;
        let counts: Vec<u64> = (0..groups.len())
            .map(|group| open.iter().filter(|i| demands[**i].group == group).count() as u64)
            .collect();
        open.retain(|i| {
            let GroupDemand { group, wanted } = demands[*i];
            granted[*i] < wanted && left / before > 0 && group_left[group] / counts[group] > 0
        });
    }
    granted
}

const fn take(left: u64, step: u64) -> u64 {
    // no limit stays none, however much is taken
    if left == u64::MAX { left } else { left - step }
}

/// A token bucket. Each draw is given a position and may go on when the bucket has reached it, so all are
/// served in the order of their draws, and a rate may change meanwhile.
#[derive(Clone, Debug)]
pub struct Bucket {
    rate: u64,
    /// Bytes drawn so far.
    drawn: u64,
    /// Bytes that may have been drawn by now.
    reached: u64,
    /// Billionths of a byte beyond them.
    fraction: u128,
    at: Duration,
}

impl Bucket {
    /// An empty bucket at `now`, the time since any fixed moment.
    pub const fn new(rate: u64, now: Duration) -> Self {
        Self { rate, drawn: 0, reached: 0, fraction: 0, at: now }
    }

    /// Draws `bytes`; the position to wait for.
    pub fn draw(&mut self, bytes: u64, now: Duration) -> u64 {
        self.advance(now);
        self.drawn += bytes;
        self.drawn
    }

    /// How long until `position` is reached at the present rate; zero when it is.
    pub fn wait(&mut self, position: u64, now: Duration) -> Duration {
        self.advance(now);
        let missing = u128::from(position.saturating_sub(self.reached));
        if missing == 0 {
            return Duration::ZERO;
        }
        if self.rate == 0 {
            return Duration::MAX;
        }
        // rounded up: who waits for so long finds the position reached
        let nanos = (missing * NANOS - self.fraction).div_ceil(u128::from(self.rate));
        u64::try_from(nanos).map_or(Duration::MAX, Duration::from_nanos)
    }

    /// Takes back `bytes` that were drawn and not read.
    pub fn give_back(&mut self, bytes: u64) {
        // `drawn` stays: positions that were given out must not move
        self.reached = self.reached.saturating_add(bytes).min(self.most());
    }

    /// Goes on at `rate`.
    pub fn set_rate(&mut self, rate: u64, now: Duration) {
        self.advance(now);
        self.rate = rate;
        // what was saved up at a higher rate is more than the burst of a lower one
        self.reached = self.reached.min(self.most());
    }

    /// Bytes per second.
    pub const fn rate(&self) -> u64 {
        self.rate
    }

    fn most(&self) -> u64 {
        // beyond what was drawn: a debt is paid off in full, and only what is idle is bounded
        let burst = u128::from(self.rate) * BURST.as_millis() / 1000;
        self.drawn.saturating_add(u64::try_from(burst).unwrap_or(u64::MAX))
    }

    fn advance(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.at);
        // a caller that read the clock earlier comes later: time never goes back, and nothing is
        // earned twice
        self.at = self.at.max(now);
        let earned = passed.as_nanos() * u128::from(self.rate) + self.fraction;
        self.fraction = earned % NANOS;
        let bytes = u64::try_from(earned / NANOS).unwrap_or(u64::MAX);
        self.reached = self.reached.saturating_add(bytes);
        if self.reached >= self.most() {
            (self.reached, self.fraction) = (self.most(), 0);
        }
    }
}

#[cfg(test)]
mod tests;
