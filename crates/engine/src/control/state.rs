//! Pausing, resuming and canceling a task.
//!
//! When the call returns, the state is durable, nothing of a task that does not run is leased or handed
//! out, and its nodes are being told that their leases are lost. Its jobs follow for a while within the
//! call, and after it without it: see `turning`.

use std::time::Duration;

use stoker_domain::{
    account::AccountId,
    task::{TaskCommand, TaskId, TaskState},
};
use stoker_ledger::{Control, Controlled, Error as LedgerError, ErrorKind};

use super::ControlError;
use crate::{Engine, Error};

/// How long a call stays for the jobs of its task to follow.
const WITHIN_CALL: Duration = Duration::from_secs(2);

impl Engine {
    /// Changes the state of a task of `account`; false when it was so already, or, for
    /// [`TaskCommand::Cancel`], when the task is finished.
    ///
    /// # Errors
    /// The account has no such task, it is over, or the ledger failed; then it may be changed or not.
    pub async fn control(
        &self,
        account: AccountId,
        task: &TaskId,
        command: TaskCommand,
    ) -> Result<bool, ControlError> {
        let stopped = (command == TaskCommand::Resume).then(|| self.leases.go_on(task)).flatten();
        let controlled = self.write_state(account, task, command).await;
        match &controlled {
            Ok(Controlled::Changed) => {}
            // as it was
            Ok(_) => self.leases.stop_again(task, stopped),
            // it may be written all the same: what is known of its leases counts no more
            Err(_) => drop(self.leases.end_task(task)),
        }
        let controlled = controlled?;
        match controlled {
            // what follows from it may be missing: the answer of the call that changed it may be lost
            Controlled::Changed | Controlled::Already => {}
            Controlled::Over if command != TaskCommand::Cancel => {
                let is_canceled = self.is_canceled(account, task).await?;
                return Err(ControlError::Over { task: task.clone(), is_canceled });
            }
            Controlled::Over | Controlled::Busy => return Ok(false),
        }
        let is_changed = controlled == Controlled::Changed;
        if is_changed {
            let word = match command {
                TaskCommand::Pause => "paused",
                TaskCommand::Resume => "resumed",
                TaskCommand::Cancel => "canceled",
            };
            tracing::info!(task.id = %task, state = word, "task state changed");
        }
        match command {
            TaskCommand::Resume => {
                let limit = self.take_up_limit(task).await;
                limit.map_err(|error| failed(task, error.into()))?;
            }
            TaskCommand::Pause | TaskCommand::Cancel => self.stop(task),
        }
        // also when this call is dropped before its jobs follow
        self.turns.notify_one();
        let followed = self.turn_jobs(WITHIN_CALL).await;
        followed.map(|_| is_changed).map_err(|error| failed(task, error))
    }

    async fn write_state(
        &self,
        account: AccountId,
        task: &TaskId,
        command: TaskCommand,
    ) -> Result<Controlled, ControlError> {
        loop {
            let (id, now) = (task.clone(), self.clock.now());
            let change = Control { account, task: id, command, now };
            let controlled = self.ledger.control(change).await;
            match controlled.map_err(|error| refused(task, error))? {
                // one that was paused a moment ago; its jobs follow first
                Controlled::Busy => {
                    let followed = self.turn_jobs(WITHIN_CALL).await;
                    followed.map_err(|error| failed(task, error))?;
                }
                other => return Ok(other),
            }
        }
    }

    /// Ends what goes on of a task that does not run any more.
    fn stop(&self, task: &TaskId) {
        // what was leased before is handed out within far less, or never
        let until = self.schedule.now(&*self.clock) + self.config.lease * 2;
        self.lost.notify(self.leases.stop(task, until));
        self.attempts.forget_task(task);
        self.end_limit(task);
    }

    /// The limit of a task that is resumed counts again.
    async fn take_up_limit(&self, id: &TaskId) -> Result<(), LedgerError> {
        let limited = self.ledger.limited_tasks().await?;
        if let Some((task, hosts)) = limited.into_iter().find(|(task, _)| task.id == *id) {
            self.pace.add(&task, hosts);
            self.publish_limits();
        }
        Ok(())
    }

    async fn is_canceled(&self, account: AccountId, id: &TaskId) -> Result<bool, ControlError> {
        let row = self.task_row(account, id).await.map_err(|error| failed(id, error.into()))?;
        Ok(row.is_some_and(|row| matches!(row.state, TaskState::Canceled(_))))
    }
}

fn failed(task: &TaskId, error: Error) -> ControlError {
    ControlError::Ledger { task: task.clone(), error }
}

fn refused(task: &TaskId, error: LedgerError) -> ControlError {
    match error.kind {
        ErrorKind::NotFound => ControlError::Unknown { task: task.clone() },
        _ => failed(task, error.into()),
    }
}
