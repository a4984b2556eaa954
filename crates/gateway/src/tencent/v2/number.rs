//! Names of tasks as API v2 writes them: a number of 16 digits, or `YYYYMMDD-` and 13 hexadecimal
//! digits.
//!
//! The engine names tasks with 19 digits of which the last three are zero, and never the same ones
//! twice; without these zeros the name is a number that every client can hold. Nothing is kept.

use stoker_domain::{task::TaskId, time::Timestamp};

use crate::tencent::common::clock;

const ZEROS: &str = "000";

/// The number of a task; 0 for a task that an API with other names made.
pub(super) fn of(task: &TaskId) -> i64 {
    let number = task.0.strip_suffix(ZEROS).filter(|_| task.0.len() == 19);
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// The task with this number, or with the whole name.
pub(super) fn task(number: &str) -> TaskId {
    let is_short = number.len() == 16 && number.bytes().all(|byte| byte.is_ascii_digit());
    TaskId(if is_short { format!("{number}{ZEROS}") } else { number.into() })
}

/// The name of a task overseas.
pub(super) fn overseas(task: &TaskId, created_at: Timestamp) -> String {
    format!("{}-{:013x}", date(created_at).replace('-', ""), of(task))
}

/// The day of a moment, as `YYYY-MM-DD`.
pub(super) fn date(moment: Timestamp) -> String {
    clock::format(moment).split(' ').next().unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_names_its_task_and_no_other() {
        let id = TaskId("1700000000123456000".into());
        assert_eq!(of(&id), 1_700_000_000_123_456);
        assert_eq!(task("1700000000123456"), id);
        assert_eq!(task(&id.0), id);
        assert_eq!(of(&TaskId("abcdefghij00".into())), 0);
        let moment = Timestamp::from_seconds(1_700_000_000);
        assert_eq!(overseas(&id, moment), "20231115-60a2418202240");
    }
}
