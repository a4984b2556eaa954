//! The signals that `stoker up` obeys.

use std::time::Duration;

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
    time::timeout,
};

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

/// When what is still under way is cut.
#[derive(Clone)]
pub(super) struct Cut(watch::Receiver<bool>);

impl Cut {
    /// When the grace period is over, or at another signal to end.
    pub(super) fn after(grace: Duration, mut signals: Signals) -> Self {
        let (cut, comes) = watch::channel(false);
        tokio::spawn(async move {
            let again = async {
                loop {
                    if let Wish::End(signal) = signals.next().await {
                        return signal;
                    }
                }
            };
            if let Ok(signal) = timeout(grace, again).await {
                tracing::warn!(signal, "once more: cutting what is under way");
            }
            cut.send_replace(true);
        });
        Self(comes)
    }

    /// Returns when it comes.
    pub(super) async fn comes(mut self) {
        // its other end is gone only when the process ends
        let _ = self.0.wait_for(|cut| *cut).await;
    }
}
