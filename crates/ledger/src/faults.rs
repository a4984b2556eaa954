//! Faults that tests inject: a ledger that does not answer, or whose answer is lost.
//!
//! Every verb of a backend passes through [`run`], once, so that a fault needs to know nothing of
//! what the verb takes and gives.

use std::{any::Any, fmt::Debug};

use crate::{Error, ErrorKind};

/// What becomes of a verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is done.
    Unavailable,
    /// It is done, and the answer is lost.
    LostReply,
}

/// Decides which verbs fail.
pub trait Faults: Debug + Send + Sync {
    /// The fault that a verb meets which is about to run, if any.
    fn before(&self, verb: &'static str) -> Option<Fault>;
    /// A verb was done, with this reply; also when the reply is lost.
    fn after(&self, verb: &'static str, reply: &dyn Any);
}

/// Runs a verb under `faults`, if there are any.
pub(crate) async fn run<T: 'static>(
    faults: Option<&dyn Faults>,
    verb: &'static str,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let Some(faults) = faults else { return work.await };
    let down = Error { verb, kind: ErrorKind::Unavailable, cause: None };
    let fault = faults.before(verb);
    if fault == Some(Fault::Unavailable) {
        return Err(down);
    }
    let result = work.await;
    if let Ok(reply) = &result {
        faults.after(verb, reply);
    }
    if fault == Some(Fault::LostReply) { Err(down) } else { result }
}
