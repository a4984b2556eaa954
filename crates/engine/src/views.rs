//! What callers see of tasks and targets: the ledger's rows with what heartbeats add.
//!
//! A percentage is 100 only when the thing is done: while anything is missing it stays below, and
//! what failed keeps what it had reached.

use std::collections::HashMap;

use stoker_domain::{
    job::NodeOutcome,
    task::{Progress, TaskId},
};
use stoker_ledger::{Error, Page, RunningJob, TargetFilter, TargetRow, TaskFilter, TaskRow};

use crate::Engine;

/// One target as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetView {
    /// The ledger's row.
    pub row: TargetRow,
    /// 0 to 99 until it is done on all its nodes; then 100.
    pub percent: u8,
    /// Bytes that are there, averaged over its nodes.
    pub done_bytes: u64,
    /// Its size, once known.
    pub total_bytes: Option<u64>,
}

/// One task as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskView {
    /// The ledger's row.
    pub row: TaskRow,
    /// 0 to 99 until all its targets are done; then 100.
    pub percent: u8,
    /// Bytes that are there, each target counted once, however many nodes hold it.
    pub done_bytes: u64,
    /// Its size, when the size of every target is known.
    pub total_bytes: Option<u64>,
    /// Bytes that its nodes pulled from parents and the origin.
    pub pulled_bytes: u64,
}

impl Engine {
    /// Tasks that match, newest first.
    ///
    /// # Errors
    /// What the ledger said.
    pub async fn tasks(&self, filter: &TaskFilter) -> Result<Page<TaskView>, Error> {
        let _ = filter;
        Ok(Page { rows: Vec::new(), total: 0 })
    }

    /// Targets that match, newest task first.
    ///
    /// # Errors
    /// What the ledger said.
    pub async fn targets(&self, filter: &TargetFilter) -> Result<Page<TargetView>, Error> {
        let _ = filter;
        Ok(Page { rows: Vec::new(), total: 0 })
    }

    /// For each of `targets` (row numbers of one task), what each of its nodes reported.
    ///
    /// # Errors
    /// What the ledger said.
    pub async fn outcomes(
        &self,
        task: &TaskId,
        targets: &[i64],
    ) -> Result<Vec<(i64, Vec<NodeOutcome>)>, Error> {
        self.ledger.outcomes(task, targets).await
    }
}
