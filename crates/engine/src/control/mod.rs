//! Tasks are paused, resumed, canceled, and tried again.
//!
//! The state of a task is the ledger's; what follows from it here is that leases end at once (`state`),
//! that their nodes are told (`lost`), and that its jobs follow (`turning`). `retry` makes a new task
//! of what failed.

mod error;
mod lost;
mod retry;
mod state;
mod turning;

use stoker_domain::{
    account::AccountId,
    task::TaskId,
    view::{TaskFilter, TaskRow},
};
use stoker_ledger::Error;

use crate::Engine;

pub use error::{ControlError, RetryError};
pub(crate) use lost::Lost;
pub use retry::Retried;

impl Engine {
    /// The task of `account` with this name, as the ledger has it.
    async fn task_row(&self, account: AccountId, id: &TaskId) -> Result<Option<TaskRow>, Error> {
        let (account, task) = (Some(account), Some(id.clone()));
        let filter = TaskFilter { account, id: task, limit: 1, ..TaskFilter::default() };
        Ok(self.ledger.tasks(&filter).await?.rows.pop())
    }
}
