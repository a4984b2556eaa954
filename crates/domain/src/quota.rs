//! Quotas: how many URLs an account may have prefetched or purged in a day, by product and area.

mod calendar;

use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use calendar::{Calendar, Era, Reset, ResetError};

use crate::{
    area::{Area, AreaScope},
    time::Timestamp,
};

/// What is counted apart: prefetches and purges, asked for by domain or by zone. Which of the vendor's
/// APIs charges which, the gateway knows; the stored words are of the time when each API had its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Product {
    /// Prefetches by domain.
    #[serde(rename = "cdn")]
    DomainPrefetch,
    /// Prefetches by zone.
    #[serde(rename = "teo")]
    ZonePrefetch,
    /// Prefetches by zone to the edge, which have an allotment of their own.
    #[serde(rename = "teo-edge")]
    ZoneEdgePrefetch,
    /// Purges of URLs by domain.
    #[serde(rename = "cdn-purge-url")]
    DomainPurgeUrl,
    /// Purges of directories by domain.
    #[serde(rename = "cdn-purge-path")]
    DomainPurgePath,
    /// Purges of URLs by zone.
    #[serde(rename = "teo-purge-url")]
    ZonePurgeUrl,
    /// Purges of directories by zone.
    #[serde(rename = "teo-purge-prefix")]
    ZonePurgePrefix,
    /// Purges of hosts.
    #[serde(rename = "teo-purge-host")]
    ZonePurgeHost,
    /// Purges of whole zones.
    #[serde(rename = "teo-purge-all")]
    ZonePurgeAll,
    /// Purges of tags.
    #[serde(rename = "teo-purge-cache-tag")]
    ZonePurgeTag,
}

impl Product {
    /// The word stored in the ledger.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DomainPrefetch => "cdn",
            Self::ZonePrefetch => "teo",
            Self::ZoneEdgePrefetch => "teo-edge",
            Self::DomainPurgeUrl => "cdn-purge-url",
            Self::DomainPurgePath => "cdn-purge-path",
            Self::ZonePurgeUrl => "teo-purge-url",
            Self::ZonePurgePrefix => "teo-purge-prefix",
            Self::ZonePurgeHost => "teo-purge-host",
            Self::ZonePurgeAll => "teo-purge-all",
            Self::ZonePurgeTag => "teo-purge-cache-tag",
        }
    }

    /// Those of prefetches.
    pub const PREFETCH: [Self; 3] =
        [Self::DomainPrefetch, Self::ZonePrefetch, Self::ZoneEdgePrefetch];

    /// Every product.
    pub const ALL: [Self; 10] = [
        Self::DomainPrefetch,
        Self::ZonePrefetch,
        Self::ZoneEdgePrefetch,
        Self::DomainPurgeUrl,
        Self::DomainPurgePath,
        Self::ZonePurgeUrl,
        Self::ZonePurgePrefix,
        Self::ZonePurgeHost,
        Self::ZonePurgeAll,
        Self::ZonePurgeTag,
    ];

    /// What the account that owns the installation has, unless it was set: the batch limits of the
    /// API, and a day's limit that is out of reach.
    pub const fn owner_limits(self) -> Limits {
        let Limits { batch, .. } = self.default_limits();
        match self {
            Self::DomainPrefetch
            | Self::ZonePrefetch
            | Self::ZoneEdgePrefetch
            | Self::DomainPurgeUrl
            | Self::ZonePurgeUrl => Limits { batch, ..Limits::OWNER },
            Self::DomainPurgePath
            | Self::ZonePurgePrefix
            | Self::ZonePurgeHost
            | Self::ZonePurgeAll
            | Self::ZonePurgeTag => Limits { batch, daily: 1_000_000 },
        }
    }

    /// The limits of an account for which none were set.
    pub const fn default_limits(self) -> Limits {
        match self {
            Self::DomainPrefetch | Self::ZonePrefetch | Self::ZoneEdgePrefetch => {
                Limits::PREFETCH_DEFAULT
            }
            Self::DomainPurgeUrl => Limits { batch: 1000, daily: 10_000 },
            Self::DomainPurgePath => Limits { batch: 500, daily: 100 },
            Self::ZonePurgeUrl => Limits { batch: 2000, daily: 10_000 },
            Self::ZonePurgePrefix | Self::ZonePurgeHost | Self::ZonePurgeTag => {
                Limits { batch: 500, daily: 1000 }
            }
            Self::ZonePurgeAll => Limits { batch: 1, daily: 100 },
        }
    }

    /// The counters that a URL for `areas` costs one unit of. By domain each area counts apart; by zone
    /// a URL counts once wherever it goes, under the first area.
    pub const fn counted(self, areas: AreaScope) -> &'static [Area] {
        match self {
            Self::DomainPrefetch | Self::DomainPurgeUrl | Self::DomainPurgePath => areas.areas(),
            Self::ZonePrefetch
            | Self::ZoneEdgePrefetch
            | Self::ZonePurgeUrl
            | Self::ZonePurgePrefix
            | Self::ZonePurgeHost
            | Self::ZonePurgeAll
            | Self::ZonePurgeTag => AreaScope::Mainland.areas(),
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
    /// Of prefetches, where none were set.
    pub const PREFETCH_DEFAULT: Self = Self { batch: 500, daily: 1000 };
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

    #[test]
    fn every_product_is_read_back_from_the_word_that_is_stored() {
        for product in Product::ALL {
            assert_eq!(product.as_str().parse(), Ok(product));
            let json = serde_json::to_string(&product).unwrap();
            assert_eq!(json, format!("\"{}\"", product.as_str()));
            assert_eq!(serde_json::from_str::<Product>(&json).unwrap(), product);
        }
        let unknown = "Cdn".parse::<Product>().unwrap_err().to_string();
        assert!(unknown.starts_with("`Cdn` is not a product; one of `cdn`, `teo`, "), "{unknown}");
    }

    #[test]
    fn by_domain_each_area_counts_and_by_zone_the_first_alone() {
        for product in Product::ALL {
            let counted = |areas| product.counted(areas);
            let is_by_domain = product.as_str().starts_with("cdn");
            for areas in [AreaScope::Mainland, AreaScope::Overseas, AreaScope::Global] {
                let expected = if is_by_domain { areas.areas() } else { &[Area::Mainland][..] };
                assert_eq!(counted(areas), expected, "{product:?} {areas}");
            }
        }
        let limits = AreaLimits {
            mainland: Limits { batch: 5, daily: 1 },
            overseas: Limits { batch: 3, daily: 2 },
        };
        let batch = |product, areas| limits.batch(product, areas);
        assert_eq!(batch(Product::DomainPrefetch, AreaScope::Mainland), 5);
        assert_eq!(batch(Product::DomainPrefetch, AreaScope::Overseas), 3);
        assert_eq!(batch(Product::DomainPrefetch, AreaScope::Global), 3);
        assert_eq!(batch(Product::ZonePrefetch, AreaScope::Overseas), 5);
        assert_eq!(limits.of(Area::Overseas).daily, 2);
    }

    #[test]
    fn an_owner_may_do_more_in_a_day_and_as_much_in_a_call() {
        for (product, batch, daily) in [
            (Product::DomainPrefetch, 500, 1000),
            (Product::ZonePrefetch, 500, 1000),
            (Product::ZoneEdgePrefetch, 500, 1000),
            (Product::DomainPurgeUrl, 1000, 10_000),
            (Product::DomainPurgePath, 500, 100),
            (Product::ZonePurgeUrl, 2000, 10_000),
            (Product::ZonePurgePrefix, 500, 1000),
            (Product::ZonePurgeHost, 500, 1000),
            (Product::ZonePurgeAll, 1, 100),
            (Product::ZonePurgeTag, 500, 1000),
        ] {
            assert_eq!(product.default_limits(), Limits { batch, daily }, "{product:?}");
            let owner = product.owner_limits();
            assert_eq!(owner.batch, batch, "{product:?}");
            assert!([1_000_000, 10_000_000].contains(&owner.daily), "{product:?}");
        }
        assert_eq!(Product::DomainPurgeUrl.owner_limits().daily, 10_000_000);
        assert_eq!(Product::DomainPurgePath.owner_limits().daily, 1_000_000);
    }

    #[test]
    fn what_is_left_of_a_day_never_falls_below_nothing() {
        let counter = Counter { product: Product::DomainPrefetch, area: Area::Mainland, day: 0 };
        let limits = Limits { batch: 1, daily: 5 };
        for (used, left) in [(0, 5), (4, 1), (5, 0), (6, 0)] {
            assert_eq!(Usage { counter, limits, used }.available(), left);
        }
    }
}
