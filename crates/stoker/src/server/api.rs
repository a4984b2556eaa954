//! The API on its listeners, plain and TLS: one application, drained as one.
//!
//! Every request carries its caller's address as `ConnectInfo<SocketAddr>`.

use std::{net::SocketAddr, time::Duration};

use axum::{
    Router,
    serve::{Listener, ListenerExt},
};
use tokio::{sync::watch, task::JoinSet, time::timeout};

/// The API being served.
pub(super) struct Api {
    app: Router,
    drain: watch::Sender<bool>,
    served: JoinSet<()>,
}

impl Api {
    pub(super) fn new(app: Router) -> Self {
        Self { app, drain: watch::Sender::new(false), served: JoinSet::new() }
    }

    /// Serves whoever comes to `listener` as well.
    pub(super) fn serve<L: Listener<Addr = SocketAddr>>(&mut self, listener: L) {
        let app = self.app.clone().into_make_service_with_connect_info::<SocketAddr>();
        let mut drain = self.drain.subscribe();
        let shutdown = async move {
            // its other end lives as long as the API is served
            let _ = drain.wait_for(|drain| *drain).await;
        };
        // axum knows the caller's address of a foreign kind of listener only when it is tapped
        let served = axum::serve(listener.tap_io(|_| {}), app).with_graceful_shutdown(shutdown);
        self.served.spawn(async move {
            if let Err(error) = served.await {
                tracing::error!(%error, "a listener of the API ended");
            }
        });
    }

    /// Takes no more calls; those under way have `grace` to end.
    pub(super) async fn drain(mut self, grace: Duration) {
        self.drain.send_replace(true);
        let ends = async { while self.served.join_next().await.is_some() {} };
        if timeout(grace, ends).await.is_err() {
            tracing::warn!("calls were still under way at the end of the grace period");
        }
    }
}
