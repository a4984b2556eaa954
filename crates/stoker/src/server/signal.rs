//! The signals that `stoker up` obeys.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::failure::Failure;

/// All of them, listened for from the start, so that none is missed.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Option<Signal>,
}

/// What a signal asks for.
pub(super) enum Wish {
    /// To end; the signal's name.
    End(&'static str),
    /// To read the files again that may have changed.
    ReadAgain,
}

impl Signals {
    /// Leaves SIGHUP alone unless there is something to read again: when its terminal goes away, a
    /// server without such things shall end.
    pub(super) fn new(may_read_again: bool) -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind).map_err(|error| Failure::because("cannot listen for signals", &error))
        };
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hangup: may_read_again.then(|| listen(SignalKind::hangup())).transpose()?,
        })
    }

    /// Waits for the next of them.
    pub(super) async fn next(&mut self) -> Wish {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => Wish::End("SIGTERM"),
            _ = self.interrupt.recv() => Wish::End("SIGINT"),
            _ = hangup => Wish::ReadAgain,
        }
    }
}
