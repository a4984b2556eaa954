//! Quotas: how many URLs an account may have prefetched in a day, by product, area and mode.

use serde::{Deserialize, Serialize};

use crate::{
    area::{Area, AreaScope},
    time::Timestamp,
};

/// Products whose quotas are counted apart. API v2 shares the counters of `cdn` (wire.md 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Product {
    /// API v2 and API 3.0 `cdn`.
    Cdn,
    /// API 3.0 `teo`.
    Teo,
    /// API 3.0 `teo`, prefetches to the edge, which have an allotment of their own.
    #[serde(rename = "teo-edge")]
    TeoEdge,
    /// Purges of URLs by API v2 and API 3.0 `cdn`.
    #[serde(rename = "cdn-purge-url")]
    CdnPurgeUrl,
    /// Purges of directories by API v2 and API 3.0 `cdn`.
    #[serde(rename = "cdn-purge-path")]
    CdnPurgePath,
}

impl Product {
    /// The word stored in the ledger.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cdn => "cdn",
            Self::Teo => "teo",
            Self::TeoEdge => "teo-edge",
            Self::CdnPurgeUrl => "cdn-purge-url",
            Self::CdnPurgePath => "cdn-purge-path",
        }
    }

    /// Those of prefetches.
    pub const ALL: [Self; 3] = [Self::Cdn, Self::Teo, Self::TeoEdge];

    /// The limits of an account for which none were set.
    pub const fn default_limits(self) -> Limits {
        match self {
            Self::Cdn | Self::Teo | Self::TeoEdge => Limits::CDN_DEFAULT,
            Self::CdnPurgeUrl => Limits { batch: 1000, daily: 10_000 },
            Self::CdnPurgePath => Limits { batch: 500, daily: 100 },
        }
    }

    /// The counters that a URL for `areas` costs one unit of. `cdn` counts each area apart; `teo`
    /// counts a URL once wherever it goes (wire.md 4.4), under the first area.
    pub const fn counted(self, areas: AreaScope) -> &'static [Area] {
        match self {
            Self::Cdn | Self::CdnPurgeUrl | Self::CdnPurgePath => areas.areas(),
            Self::Teo | Self::TeoEdge => AreaScope::Mainland.areas(),
        }
    }
}

/// One counter: what is counted, for one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Counter {
    /// Product.
    pub product: Product,
    /// Area.
    pub area: Area,
    /// The day, as returned by [`day`].
    pub day: i64,
}

/// The limits of an account for one product and area.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// URLs in one call.
    pub batch: u32,
    /// URLs in one day.
    pub daily: u64,
}

impl Limits {
    /// The vendor's defaults for `cdn` prefetch (wire.md 3.1).
    pub const CDN_DEFAULT: Self = Self { batch: 500, daily: 1000 };
    /// What the account that `stoker up` creates has.
    pub const OWNER: Self = Self { batch: 500, daily: 10_000_000 };
}

/// A counter with its limit: what a caller may still have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Which counter.
    pub counter: Counter,
    /// Its limits.
    pub limits: Limits,
    /// URLs charged so far on that day.
    pub used: u64,
}

impl Usage {
    /// URLs left on that day.
    pub fn available(&self) -> u64 {
        self.limits.daily.saturating_sub(self.used)
    }
}

/// Offset of the quota day from UTC: the day begins at 00:00 UTC+8 (wire.md 6).
pub const DAY_OFFSET_SECONDS: i64 = 8 * 3600;

/// The number of the quota day that holds `now`: days since 1970-01-01 in UTC+8.
pub const fn day(now: Timestamp) -> i64 {
    (now.as_seconds() + DAY_OFFSET_SECONDS).div_euclid(86_400)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_turns_at_sixteen_hours_utc() {
        let before = Timestamp::from_seconds(15 * 3600 + 3599);
        assert_eq!(day(before), 0);
        assert_eq!(day(Timestamp::from_seconds(16 * 3600)), 1);
    }
}
