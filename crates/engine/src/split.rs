//! Accepting a list as one task per domain: all of it in one transaction, or nothing of it.

use std::collections::HashMap;

use stoker_domain::{account::Account, time::Timestamp};
use stoker_ledger::PlannedTarget;

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
        let limit = self.config.max_targets_per_task.min(submission.batch_limit.into());
        check_count(submission.urls.len(), limit)?;
        let targets = plan(&self.board.now(), account.id, &submission).await?;
        let mut lists: Vec<Vec<PlannedTarget>> = Vec::new();
        let mut places = HashMap::new();
        for target in targets {
            let place = *places.entry(target.host.clone()).or_insert_with(|| {
                lists.push(Vec::new());
                lists.len() - 1
            });
            lists[place].push(target);
        }
        let accepted_at = self.clock.now();
        let receipts = self.accept_tasks(account, &submission, lists).await?;
        Ok(SplitReceipt { accepted_at, receipts })
    }
}
