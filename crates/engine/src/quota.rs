//! Quotas: what an account has, and what it has used.

use stoker_domain::{
    account::AccountId,
    area::Area,
    quota::{Counter, Product, Usage, day},
};
use stoker_ledger::Error;

use crate::Engine;

impl Engine {
    /// URLs that one call of `account` for `product` may have, whatever its areas.
    ///
    /// # Errors
    /// What the ledger said.
    pub async fn batch_limit(&self, account: AccountId, product: Product) -> Result<u32, Error> {
        Ok(self.ledger.limits(account, product).await?.batch)
    }

    /// What `account` has and has used today for `product`, one entry per area.
    ///
    /// # Errors
    /// What the ledger said.
    pub async fn quota(&self, account: AccountId, product: Product) -> Result<Vec<Usage>, Error> {
        let limits = self.ledger.limits(account, product).await?;
        let day = day(self.clock.now());
        let mut usages = Vec::with_capacity(Area::ALL.len());
        for area in Area::ALL {
            let counter = Counter { product, area, day };
            let used = self.ledger.used(account, counter).await?;
            usages.push(Usage { counter, limits, used });
        }
        Ok(usages)
    }
}
