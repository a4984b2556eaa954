//! Why a task was not paused, resumed, canceled or tried again, and what the caller can do about it.

use stoker_domain::task::TaskId;

use crate::{Error, accept::SubmitError};

/// Why the state of a task was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The account has no such task.
    #[error("there is no task `{task}`")]
    Unknown {
        /// The name.
        task: TaskId,
    },
    /// It cannot be paused or resumed any more.
    #[error("task `{task}` is {}", if *.is_canceled { "canceled" } else { "finished" })]
    Over {
        /// The name.
        task: TaskId,
        /// Whether it was canceled, or finished by itself.
        is_canceled: bool,
    },
    /// The ledger did not take it.
    #[error("cannot change the state of task `{task}`")]
    Ledger {
        /// The name.
        task: TaskId,
        /// Why.
        #[source]
        error: Error,
    },
}

impl ControlError {
    /// What the caller can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown { .. } => Some("`stoker task list` shows the tasks".into()),
            Self::Over { task, .. } => {
                Some(format!("`stoker task retry {task}` tries again what failed"))
            }
            Self::Ledger { .. } => None,
        }
    }
}

/// Why what failed of a task is not tried again. Nothing was written or charged.
#[derive(Debug, thiserror::Error)]
pub enum RetryError {
    /// The account has no such task.
    #[error("there is no task `{task}`")]
    Unknown {
        /// The name.
        task: TaskId,
    },
    /// Some of its targets are not final.
    #[error("task `{task}` is {}", if *.is_paused { "paused" } else { "not finished" })]
    Unfinished {
        /// The name.
        task: TaskId,
        /// Whether it waits to be resumed.
        is_paused: bool,
    },
    /// All of its targets are done.
    #[error("nothing of task `{task}` failed")]
    NothingFailed {
        /// The name.
        task: TaskId,
    },
    /// It was submitted with request fields, which are not kept.
    #[error("task `{task}` had request headers of its own, which are not kept after its end")]
    FieldsGone {
        /// The name.
        task: TaskId,
    },
    /// None of what failed is accepted; why not, of the first one.
    #[error(transparent)]
    Refused(#[from] SubmitError),
}

impl RetryError {
    /// What the caller can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown { .. } => Some("`stoker task list` shows the tasks".into()),
            Self::Unfinished { task, is_paused: true } => {
                Some(format!("`stoker task resume {task}` lets it go on"))
            }
            Self::Unfinished { task, .. } => {
                Some(format!("wait for its end (`stoker task watch {task}`), or cancel it first"))
            }
            Self::NothingFailed { .. } => None,
            Self::FieldsGone { .. } => {
                Some("submit the URLs again with `stoker prefetch --header`".into())
            }
            Self::Refused(error) => error.hint(),
        }
    }
}
