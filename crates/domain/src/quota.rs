//! Quotas: how many URLs an account may have prefetched or purged in a day, by product and area.

mod calendar;

use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use calendar::{Calendar, Era, Reset, ResetError};

use crate::{
    area::{Area, AreaScope},
    time::Timestamp,
};

/// Products whose quotas are counted apart. API v2 shares the counters of `cdn`.
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
    /// Purges of URLs by API 3.0 `teo`.
    #[serde(rename = "teo-purge-url")]
    TeoPurgeUrl,
    /// Purges of directories by API 3.0 `teo`.
    #[serde(rename = "teo-purge-prefix")]
    TeoPurgePrefix,
    /// Purges of hosts by API 3.0 `teo`.
    #[serde(rename = "teo-purge-host")]
    TeoPurgeHost,
    /// Purges of whole zones by API 3.0 `teo`.
    #[serde(rename = "teo-purge-all")]
    TeoPurgeAll,
    /// Purges of tags by API 3.0 `teo`.
    #[serde(rename = "teo-purge-cache-tag")]
    TeoPurgeCacheTag,
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
            Self::TeoPurgeUrl => "teo-purge-url",
            Self::TeoPurgePrefix => "teo-purge-prefix",
            Self::TeoPurgeHost => "teo-purge-host",
            Self::TeoPurgeAll => "teo-purge-all",
            Self::TeoPurgeCacheTag => "teo-purge-cache-tag",
        }
    }

    /// Those of prefetches.
    pub const PREFETCH: [Self; 3] = [Self::Cdn, Self::Teo, Self::TeoEdge];

    /// Every product.
    pub const ALL: [Self; 10] = [
        Self::Cdn,
        Self::Teo,
        Self::TeoEdge,
        Self::CdnPurgeUrl,
        Self::CdnPurgePath,
        Self::TeoPurgeUrl,
        Self::TeoPurgePrefix,
        Self::TeoPurgeHost,
        Self::TeoPurgeAll,
        Self::TeoPurgeCacheTag,
    ];

    /// What the account that owns the installation has, unless it was set: the batch limits of the
    /// API, and more in a day than anybody needs.
    pub const fn owner_limits(self) -> Limits {
        let Limits { batch, .. } = self.default_limits();
        match self {
            Self::Cdn | Self::Teo | Self::TeoEdge | Self::CdnPurgeUrl | Self::TeoPurgeUrl => {
                Limits { batch, ..Limits::OWNER }
            }
            Self::CdnPurgePath
            | Self::TeoPurgePrefix
            | Self::TeoPurgeHost
            | Self::TeoPurgeAll
            | Self::TeoPurgeCacheTag => Limits { batch, daily: 1_000_000 },
        }
    }

    /// The limits of an account for which none were set.
    pub const fn default_limits(self) -> Limits {
        match self {
            Self::Cdn | Self::Teo | Self::TeoEdge => Limits::CDN_DEFAULT,
            Self::CdnPurgeUrl => Limits { batch: 1000, daily: 10_000 },
            Self::CdnPurgePath => Limits { batch: 500, daily: 100 },
            Self::TeoPurgeUrl => Limits { batch: 2000, daily: 10_000 },
            Self::TeoPurgePrefix | Self::TeoPurgeHost | Self::TeoPurgeCacheTag => {
                Limits { batch: 500, daily: 1000 }
            }
            Self::TeoPurgeAll => Limits { batch: 1, daily: 100 },
        }
    }

    /// The counters that a URL for `areas` costs one unit of. `cdn` counts each area apart; `teo`
    /// counts a URL once wherever it goes, under the first area.
    pub const fn counted(self, areas: AreaScope) -> &'static [Area] {
        match self {
            Self::Cdn | Self::CdnPurgeUrl | Self::CdnPurgePath => areas.areas(),
            Self::Teo
            | Self::TeoEdge
            | Self::TeoPurgeUrl
            | Self::TeoPurgePrefix
            | Self::TeoPurgeHost
            | Self::TeoPurgeAll
            | Self::TeoPurgeCacheTag => AreaScope::Mainland.areas(),
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
    /// The day, as returned by [`Calendar::day`].
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
    /// The vendor's defaults for `cdn` prefetch.
    pub const CDN_DEFAULT: Self = Self { batch: 500, daily: 1000 };
    /// What the account that `stoker up` creates has.
    pub const OWNER: Self = Self { batch: 500, daily: 10_000_000 };
}

/// The limits of an account for one product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AreaLimits {
    /// In the mainland.
    pub mainland: Limits,
    /// Elsewhere.
    pub overseas: Limits,
}

impl AreaLimits {
    /// The same in both areas.
    pub const fn both(limits: Limits) -> Self {
        Self { mainland: limits, overseas: limits }
    }

    /// Those of `area`.
    pub const fn of(&self, area: Area) -> Limits {
        match area {
            Area::Mainland => self.mainland,
            Area::Overseas => self.overseas,
        }
    }

    /// URLs in one call for `areas`, each of which has to allow them.
    pub fn batch(&self, product: Product, areas: AreaScope) -> u32 {
        let counted = product.counted(areas).iter();
        counted.map(|area| self.of(*area).batch).min().unwrap_or(0)
    }
}

/// A word that names no product.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a product; one of {list} is", list = words())]
pub struct UnknownProduct(pub String);

fn words() -> String {
    Product::ALL.map(|product| format!("`{}`", product.as_str())).join(", ")
}

impl FromStr for Product {
    type Err = UnknownProduct;

    fn from_str(word: &str) -> Result<Self, UnknownProduct> {
        let found = Self::ALL.into_iter().find(|product| product.as_str() == word);
        found.ok_or_else(|| UnknownProduct(word.into()))
    }
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

/// The number of the day that holds `now` in an installation that never changed its [`Reset`].
pub fn day(now: Timestamp) -> i64 {
    Calendar::default().day(now)
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
