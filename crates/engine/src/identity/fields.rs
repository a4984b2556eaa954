//! The request fields of tasks: their values may be secrets, and are sealed while the ledger has them.
//!
//! Sealed when a task is accepted, each value for its name, task and account; opened when a job is
//! handed out. The ledger drops them when the task is finished.

use stoker_domain::{
    account::AccountId,
    job::LeasedJob,
    task::{FetchOptions, Task},
};
use stoker_ledger::Ledger;

use super::{Identities, OpenError, RESEAL, Unopened, seal::Owner};

/// The name under which the value for `User-Agent` is sealed.
const USER_AGENT: &str = "user-agent";

impl Identities {
    /// Seals with the first key the fields of every task that are not yet.
    pub(super) async fn reseal_fields(&self, ledger: &dyn Ledger) -> Result<(), OpenError> {
        let mut after = i64::MIN;
        loop {
            let tasks = ledger.task_fields_after(after, RESEAL).await?;
            let Some((last, _)) = tasks.last() else { return Ok(()) };
            after = *last;
            let mut stale = Vec::new();
            for (number, mut task) in tasks {
                let is_current =
                    values(&mut task.options).all(|(_, kept)| self.seals.is_current(kept));
                let (id, account) = (task.id.0.clone(), task.account);
                let opened = self.open_values(&mut task.options, &id, account);
                opened.map_err(|source| OpenError::Fields { task: id, source })?;
                if !is_current {
                    self.seal_fields(&mut task);
                    stale.push((number, task.options));
                }
            }
            ledger.reseal_tasks(stale).await?;
        }
    }

    /// Seals the values of the request fields of `task`.
    pub(crate) fn seal_fields(&self, task: &mut Task) {
        for (name, value) in values(&mut task.options) {
            let owner = Owner::Field { name: &name, task: &task.id.0, account: task.account };
            *value = self.seals.seal(value, owner, self.bytes());
        }
    }

    /// Opens what [`Self::seal_fields`] made.
    pub(crate) fn open_fields(&self, job: &mut LeasedJob) -> Result<(), Unopened> {
        self.open_values(&mut job.options, &job.task.0, job.account)
    }

    fn open_values(
        &self,
        options: &mut FetchOptions,
        task: &str,
        account: AccountId,
    ) -> Result<(), Unopened> {
        for (name, value) in values(options) {
            *value = self.seals.open(value, Owner::Field { name: &name, task, account })?;
        }
        Ok(())
    }
}

/// The values of all request fields, each with the name for which it is sealed.
fn values(options: &mut FetchOptions) -> impl Iterator<Item = (String, &mut String)> {
    let agent = options.user_agent.as_mut().map(|agent| (USER_AGENT.to_owned(), agent));
    let headers = options.headers.iter_mut();
    headers.map(|(name, value)| (name.to_ascii_lowercase(), value)).chain(agent)
}
