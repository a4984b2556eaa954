//! Tasks are paused, resumed, canceled and tried again.

use std::time::Duration;

use stoker_domain::task::{Progress, TaskCommand, TaskId, TaskState};
use stoker_engine::{ControlError, RetryError, SubmitError};

use crate::run::World;

impl World {
    /// Whether the ledger says that the task is worked on.
    pub(crate) async fn runs(&self, id: &TaskId) -> bool {
        let tasks = self.tasks().await;
        let task = tasks.iter().find(|task| task.task.id == *id).expect("a task that is there");
        task.state == TaskState::Running
    }

    async fn name_of(&self, number: usize) -> Option<TaskId> {
        let tasks = self.tasks().await;
        let index = number.checked_rem(tasks.len())?;
        Some(tasks[index].task.id.clone())
    }

    pub(crate) async fn control(&mut self, number: usize, command: TaskCommand) {
        let Some(id) = self.name_of(number).await else { return };
        let controlled = self.engine().control(self.account.id, &id, command).await;
        let tasks = self.tasks().await;
        let task = tasks.iter().find(|task| task.task.id == id).unwrap();
        let is_over = task.finished_at.is_some() || matches!(task.state, TaskState::Canceled(_));
        match (controlled, command) {
            (Ok(_), TaskCommand::Cancel) => assert!(is_over, "{task:?}"),
            (Ok(_), TaskCommand::Pause) => {
                assert!(matches!(task.state, TaskState::Paused(_)), "{task:?}");
            }
            (Ok(_), TaskCommand::Resume) => assert_eq!(task.state, TaskState::Running, "{task:?}"),
            (Err(ControlError::Over { .. }), TaskCommand::Pause | TaskCommand::Resume) => {
                assert!(is_over);
            }
            (Err(ControlError::Ledger { .. }), _) => {}
            (Err(error), _) => panic!("{error}"),
        }
    }

    pub(crate) async fn retry(&mut self, number: usize) {
        let Some(id) = self.name_of(number).await else { return };
        let rows = self.targets(&id).await;
        let failed = rows.iter().filter(|row| row.progress == Progress::Failed);
        let mut failed: Vec<_> = failed.map(|row| row.url.clone()).collect();
        match self.engine().retry(&self.account, &id).await {
            Ok(retried) => {
                failed.retain(|url| retried.refused.iter().all(|(refused, _)| refused != url));
                failed.sort();
                assert_eq!(retried.receipt.targets, failed.len() as u64);
                self.accepted.push((retried.receipt, failed));
            }
            Err(RetryError::Unfinished { .. }) => {
                assert!(rows.iter().any(|row| row.progress == Progress::Processing));
            }
            Err(RetryError::NothingFailed { .. }) => assert!(failed.is_empty(), "{failed:?}"),
            Err(RetryError::Refused(SubmitError::Ledger(_))) => self.doubtful += 1,
            // of another host, or the day is used up
            Err(RetryError::Refused(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }

    /// What the engine tells a node of leases that ended early.
    pub(crate) async fn hear_of_lost_leases(&mut self, number: usize) {
        let name = self.nodes[number].node.name.clone();
        let lost = self.engine().lost_leases(&name, Duration::ZERO).await;
        self.nodes[number].jobs.retain(|job| !lost.contains(&(job.id, job.token)));
    }

    /// All that is paused goes on, and all jobs follow.
    pub(crate) async fn resume_all(&mut self) {
        for task in self.tasks().await {
            if matches!(task.state, TaskState::Paused(_)) && task.finished_at.is_none() {
                let id = &task.task.id;
                let account = self.account.id;
                assert!(self.engine().control(account, id, TaskCommand::Resume).await.unwrap());
            }
        }
        assert!(self.engine().turn_jobs(Duration::from_secs(60)).await.unwrap());
    }
}
