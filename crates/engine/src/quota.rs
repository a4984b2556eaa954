//! Quotas: what an account has, what it has used, and on which day.

use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use stoker_domain::{
    account::{Account, AccountId},
    area::{Area, AreaScope},
    quota::{Calendar, Counter, Limits, Product, Reset, Usage},
    time::Timestamp,
};
use stoker_ledger::{Ledger, NewLimits};
use tokio::sync::Mutex;

use crate::{Engine, Error};

impl Engine {
    /// What `account` has and has used today for `product`, one entry per area.
    ///
    /// # Errors
    /// A failure of the ledger.
    pub async fn quota(&self, account: AccountId, product: Product) -> Result<Vec<Usage>, Error> {
        let limits = self.ledger.limits(account, product).await?;
        let day = self.quota_day();
        let mut usages = Vec::with_capacity(Area::ALL.len());
        for area in Area::ALL {
            let counter = Counter { product, area, day };
            let used = self.ledger.used(account, counter).await?;
            usages.push(Usage { counter, limits: limits.of(area), used });
        }
        Ok(usages)
    }

    /// Sets the limits of `account` for `product`, in one area or in both; calls that come later
    /// have them. An account that has used more than that already has nothing left today.
    ///
    /// # Errors
    /// A failure of the ledger.
    pub async fn set_limits(
        &self,
        account: AccountId,
        product: Product,
        area: Option<Area>,
        limits: Limits,
    ) -> Result<(), Error> {
        let areas = scope(area);
        let new = NewLimits { product, areas, limits, is_default: false };
        Ok(self.ledger.set_limits(account, new).await?)
    }

    /// Changes one number of the limits, or both, and leaves the other in each area as it is.
    ///
    /// # Errors
    /// A failure of the ledger.
    pub async fn change_limits(
        &self,
        account: AccountId,
        product: Product,
        area: Option<Area>,
        (batch, daily): (Option<u32>, Option<u64>),
    ) -> Result<(), Error> {
        let _turn = self.limit_writes.lock().await;
        let known = self.ledger.limits(account, product).await?;
        for area in scope(area).areas() {
            let Limits { batch: old_batch, daily: old_daily } = known.of(*area);
            let limits =
                Limits { batch: batch.unwrap_or(old_batch), daily: daily.unwrap_or(old_daily) };
            self.set_limits(account, product, Some(*area), limits).await?;
        }
        Ok(())
    }

    /// Gives `account` the limits of the owner, but for those that were set before.
    ///
    /// # Errors
    /// A failure of the ledger.
    pub async fn add_owner_limits(&self, account: AccountId) -> Result<(), Error> {
        for product in Product::ALL {
            let limits = product.owner_limits();
            let areas = AreaScope::Global;
            let new = NewLimits { product, areas, limits, is_default: true };
            self.ledger.set_limits(account, new).await?;
        }
        Ok(())
    }

    /// Whether `account` owns the installation: it is the first that was made.
    ///
    /// # Errors
    /// A failure of the ledger.
    pub async fn is_owner(&self, account: &Account) -> Result<bool, Error> {
        let accounts = self.ledger.accounts().await?;
        Ok(accounts.first().is_some_and(|first| first.id == account.id))
    }

    /// When the quota day that is running ends.
    pub fn quota_resets_at(&self) -> Timestamp {
        self.calendar.known().ends_at(self.clock.now())
    }

    /// Lets quota days begin at `reset`, once the running one has ended; that goes on until the
    /// first such instant after its own end.
    ///
    /// # Errors
    /// A failure of the ledger.
    pub async fn set_quota_reset(&self, reset: Reset) -> Result<(), Error> {
        self.calendar.begin_at(&*self.ledger, reset, self.clock.now(), true).await
    }

    /// The number of the quota day that is running.
    pub(crate) fn quota_day(&self) -> i64 {
        self.calendar.day(self.clock.now())
    }
}

fn scope(area: Option<Area>) -> AreaScope {
    match area {
        Some(Area::Mainland) => AreaScope::Mainland,
        Some(Area::Overseas) => AreaScope::Overseas,
        None => AreaScope::Global,
    }
}

/// The quota days of the installation.
#[derive(Debug)]
pub(crate) struct Days {
    // a std lock, held for a few instructions and never across an await
    calendar: RwLock<Calendar>,
    /// One change at a time.
    change: Mutex<()>,
}

impl Days {
    /// Takes up what the ledger holds; from now on days begin at `reset`, if there is one.
    pub(crate) async fn open(
        ledger: &dyn Ledger,
        reset: Option<Reset>,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let known = Calendar::new(ledger.quota_eras().await?);
        let days = Self { calendar: RwLock::new(known), change: Mutex::default() };
        if let Some(reset) = reset {
            let was_charged = !ledger.accounts().await?.is_empty();
            days.begin_at(ledger, reset, now, was_charged).await?;
        }
        Ok(days)
    }

    async fn begin_at(
        &self,
        ledger: &dyn Ledger,
        reset: Reset,
        now: Timestamp,
        was_charged: bool,
    ) -> Result<(), Error> {
        let _turn = self.change.lock().await;
        let known = self.known().clone();
        let calendar = known.reset_at(reset, now, was_charged);
        if calendar != known {
            ledger.set_quota_eras(calendar.eras()).await?;
            let ends_at_ms = calendar.ends_at(now).as_millis();
            tracing::info!(%reset, ends_at_ms, "quota days begin at another time");
            *self.calendar.write().unwrap_or_else(PoisonError::into_inner) = calendar;
        }
        Ok(())
    }

    /// The number of the day that holds `now`.
    pub(crate) fn day(&self, now: Timestamp) -> i64 {
        self.known().day(now)
    }

    fn known(&self) -> RwLockReadGuard<'_, Calendar> {
        self.calendar.read().unwrap_or_else(PoisonError::into_inner)
    }
}
