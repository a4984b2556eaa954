//! Trying again what failed of a task, as a new task that names it.

use stoker_domain::{
    account::Account,
    task::{Task, TaskId, TaskState},
    view::TaskRow,
};
use stoker_ledger::Error;

use super::RetryError;
use crate::{
    Engine,
    accept::{BatchLimit, PartialReceipt, Receipt, Submission, SubmitError},
};

/// Targets that are read at once.
const PAGE: u32 = 10_000;

/// The task that tries again what failed.
#[derive(Debug)]
pub struct Retried {
    /// What was accepted.
    pub receipt: Receipt,
    /// What was not, each URL with its reason.
    pub refused: Vec<(String, SubmitError)>,
}

impl Engine {
    /// Submits the targets of a finished task that failed, children of playlists and canceled ones
    /// included, as a new task with the same options. It charges what it tries again. What can no
    /// longer be accepted is left out.
    ///
    /// Not cancel safe, as [`Self::submit`].
    ///
    /// # Errors
    /// The account has no such task, there is nothing to try again, or nothing of it is accepted.
    pub async fn retry(&self, account: &Account, id: &TaskId) -> Result<Retried, RetryError> {
        let ledger = |error: Error| RetryError::Refused(SubmitError::ledger(error));
        let row = self.task_row(account.id, id).await.map_err(ledger)?;
        let row = row.ok_or_else(|| RetryError::Unknown { task: id.clone() })?;
        check(&row)?;
        let urls = self.failed_urls(id).await.map_err(ledger)?;
        let PartialReceipt { receipt, mut refused } =
            self.submit_again(account, submission(row.task, urls)).await?;
        match receipt {
            Some(receipt) => Ok(Retried { receipt, refused }),
            None if refused.is_empty() => Err(RetryError::NothingFailed { task: id.clone() }),
            None => Err(RetryError::Refused(refused.swap_remove(0).1)),
        }
    }

    async fn failed_urls(&self, task: &TaskId) -> Result<Vec<String>, Error> {
        let (mut urls, mut after) = (Vec::new(), i64::MIN);
        loop {
            let page = self.ledger.failed_urls(task, after, PAGE).await?;
            let is_last = page.len() < PAGE as usize;
            after = page.last().map_or(after, |(id, _)| *id);
            urls.extend(page.into_iter().map(|(_, url)| url));
            if is_last {
                return Ok(urls);
            }
        }
    }
}

/// Whether there is anything to try again.
fn check(row: &TaskRow) -> Result<(), RetryError> {
    let task = row.task.id.clone();
    if row.finished_at.is_none() {
        let is_paused = matches!(row.state, TaskState::Paused(_));
        return Err(RetryError::Unfinished { task, is_paused });
    }
    if row.failed == 0 {
        return Err(RetryError::NothingFailed { task });
    }
    if row.had_fields {
        return Err(RetryError::FieldsGone { task });
    }
    Ok(())
}

fn submission(task: Task, urls: Vec<String>) -> Submission {
    Submission {
        areas: (!task.options.areas_of_domains).then_some(task.areas),
        tier: task.tier,
        options: task.options,
        batch_limit: BatchLimit::AtMost(u32::MAX),
        retry_of: Some(task.id),
        ..Submission::new(task.product, urls)
    }
}
