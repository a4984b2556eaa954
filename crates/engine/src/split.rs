//! Accepting a list as one task per domain.
//!
//! All of it is checked before any of it is written, the quota too. The tasks are then written one
//! after the other: when a quota is used up by another call in between, those before stay.

use std::collections::HashMap;

use stoker_domain::{account::Account, quota::Counter, target::Target, time::Timestamp};

use crate::{
    Engine, Receipt, Submission, SubmitError,
    submit::{check_count, plan},
};

/// What was accepted as one task per domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SplitReceipt {
    /// When the call was accepted; the tasks may be a little younger.
    pub accepted_at: Timestamp,
    /// One per domain, in the order in which the list names them first.
    pub receipts: Vec<Receipt>,
}

impl Engine {
    /// Accepts one task per domain of the list.
    ///
    /// # Errors
    /// As [`Engine::submit`] for the whole list.
    pub async fn submit_by_domain(
        &self,
        account: &Account,
        submission: Submission,
    ) -> Result<SplitReceipt, SubmitError> {
        self.check(account, &submission).await?;
        let mut lists: Vec<Vec<String>> = Vec::new();
        let mut places = HashMap::new();
        for url in &submission.urls {
            let Ok(target) = Target::parse(url, submission.encode) else { continue };
            let place = *places.entry(target.host).or_insert_with(|| {
                lists.push(Vec::new());
                lists.len() - 1
            });
            lists[place].push(target.url);
        }
        let accepted_at = self.clock.now();
        let mut receipts = Vec::with_capacity(lists.len());
        for urls in lists {
            receipts.push(self.submit(account, Submission { urls, ..submission.clone() }).await?);
        }
        Ok(SplitReceipt { accepted_at, receipts })
    }

    /// Checks the whole list as [`Engine::submit`] does, and that the quota suffices now.
    async fn check(&self, account: &Account, submission: &Submission) -> Result<(), SubmitError> {
        let limit = self.config.max_targets_per_task.min(submission.batch_limit.into());
        check_count(submission.urls.len(), limit)?;
        let mut targets = plan(&self.board.now(), account.id, submission).await?;
        targets.sort_by(|a, b| a.url.cmp(&b.url));
        targets.dedup_by(|a, b| a.url == b.url);
        let needed = targets.len() as u64;
        let product = submission.product;
        let limits = self.ledger.limits(account.id, product).await.map_err(SubmitError::Ledger)?;
        for area in product.counted(submission.areas).iter().copied() {
            let counter = Counter { product, area, day: self.quota_day() };
            let used = self.ledger.used(account.id, counter).await.map_err(SubmitError::Ledger)?;
            let limit = limits.of(area).daily;
            let available = limit.saturating_sub(used);
            if available < needed {
                return Err(SubmitError::OverQuota { area, available, needed, limit });
            }
        }
        Ok(())
    }
}
