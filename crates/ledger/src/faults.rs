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

#[cfg(test)]
mod tests {
    use std::sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    };

    use super::*;

    #[derive(Debug, Default)]
    struct Scripted {
        fault: Option<Fault>,
        heard: Mutex<Vec<&'static str>>,
        sum: AtomicU64,
    }

    impl Faults for Scripted {
        fn before(&self, verb: &'static str) -> Option<Fault> {
            self.heard.lock().unwrap().push(verb);
            self.fault
        }

        fn after(&self, _verb: &'static str, reply: &dyn Any) {
            self.sum.fetch_add(*reply.downcast_ref::<u64>().unwrap(), Relaxed);
        }
    }

    #[tokio::test]
    async fn a_verb_is_done_unless_the_ledger_is_unavailable() {
        for (fault, is_done, is_answered) in [
            (None, true, true),
            (Some(Fault::LostReply), true, false),
            (Some(Fault::Unavailable), false, false),
        ] {
            let faults = Scripted { fault, ..Scripted::default() };
            let mut done = false;
            let work = async {
                done = true;
                Ok(7u64)
            };
            let result = run(Some(&faults), "count", work).await;
            assert_eq!((done, result.is_ok()), (is_done, is_answered), "{fault:?}");
            assert_eq!(*faults.heard.lock().unwrap(), ["count"]);
            assert_eq!(faults.sum.load(Relaxed), if is_done { 7 } else { 0 });
            if let Err(error) = result {
                assert_eq!((error.verb, error.kind), ("count", ErrorKind::Unavailable));
            }
        }
        assert_eq!(run(None, "count", async { Ok(3) }).await.unwrap(), 3);
        let down = Error { verb: "count", kind: ErrorKind::Full, cause: None };
        let faults = Scripted::default();
        let failed = run(Some(&faults), "count", async { Err::<u64, _>(down) }).await;
        assert_eq!(failed.unwrap_err().kind, ErrorKind::Full, "its own failure is passed on");
    }
}
