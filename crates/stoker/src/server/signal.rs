//! The signals of `stoker up`: shut down, load the certificate again, and cut what is still running.

use std::{future::pending, time::Duration};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;

/// The signals, listened for from the start, so that none is missed.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Option<Signal>,
}

/// What a signal asks for.
pub(super) enum Action {
    /// To shut down; the name of the signal.
    Shutdown(&'static str),
    /// To load certificate and key again.
    Reload,
}

impl Signals {
    /// SIGHUP keeps its default action, which ends the process, unless there are files to load again:
    /// a server without a certificate should end with its terminal.
    pub(super) fn new(may_reload: bool) -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind).map_err(|error| Failure::because("cannot listen for signals", &error))
        };
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hangup: may_reload.then(|| listen(SignalKind::hangup())).transpose()?,
        })
    }

    /// Waits for the next of them.
    pub(super) async fn next(&mut self) -> Action {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => Action::Shutdown("SIGTERM"),
            _ = self.interrupt.recv() => Action::Shutdown("SIGINT"),
            _ = hangup => Action::Reload,
        }
    }
}

/// Cancels `cut` when the grace period is over, or at another signal to shut down. Never returns.
pub(super) async fn cut_after(grace: Duration, mut signals: Signals, cut: &CancellationToken) {
    let again = async {
        loop {
            if let Action::Shutdown(signal) = signals.next().await {
                return signal;
            }
        }
    };
    if let Ok(signal) = timeout(grace, again).await {
        tracing::warn!(signal, "second signal: closing what is still running");
    }
    cut.cancel();
    pending::<()>().await;
}
