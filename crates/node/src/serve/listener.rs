//! The listener: connections in, bounded in number and in patience; drained on shutdown.
//!
//! hyper refuses ambiguous framing (`Content-Length` beside `Transfer-Encoding`, lengths that
//! contradict each other) and closes the connection after it; nothing here loosens that.

use std::{convert::Infallible, io, pin::pin, sync::Arc, time::Duration};

use http::Request;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::sleep,
};
use tokio_io_timeout::TimeoutWriter;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, warn};

use super::Service;

/// Bounds on what a client may do to a listener.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) head_timeout: Duration,
    pub(crate) write_timeout: Duration,
    pub(crate) head_bytes: usize,
    pub(crate) connections: usize,
}

/// How long accepting rests when the process has no descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts and serves until `drain`; then finishes the requests that have begun. The caller owns
/// the time after which `abort` ends even those.
pub(crate) async fn listen(
    listener: TcpListener,
    service: Service,
    bounds: Bounds,
    drain: CancellationToken,
    abort: CancellationToken,
) {
    let connections = TaskTracker::new();
    let places = Arc::new(Semaphore::new(bounds.connections));
    let builder = builder(bounds);
    loop {
        let accepted = tokio::select! {
            () = drain.cancelled() => break,
            accepted = accept(&listener, &places) => accepted,
        };
        let (stream, place) = match accepted {
            Ok(accepted) => accepted,
            // whoever hung up before being accepted costs the others nothing
            Err(error) if is_peers(&error) => continue,
            Err(error) => {
                warn!(error = %error, "cannot accept a connection");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let served = serve(stream, builder.clone(), service.clone(), bounds, drain.clone());
        let abort = abort.clone();
        connections.spawn(async move {
            tokio::select! {
                () = abort.cancelled() => {}
                () = served => {}
            }
            drop(place);
        });
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    // fails only where the client has gone already
    let _ = stream.set_nodelay(true);
    Ok((stream, place))
}

/// Whether an error of accepting concerns that one connection alone.
fn is_peers(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

fn builder(bounds: Bounds) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.head_timeout)
        .max_header_size(bounds.head_bytes)
        // viewers half-close and still want their answer
        .half_close(true);
    builder
}

async fn serve(
    stream: TcpStream,
    builder: http1::Builder,
    service: Service,
    bounds: Bounds,
    drain: CancellationToken,
) {
    // slow readers do not hold buffers for ever
    let mut stream = TimeoutWriter::new(stream);
    stream.set_timeout(Some(bounds.write_timeout));
    let io = TokioIo::new(Box::pin(stream));
    let answer = service_fn(move |request: Request<Incoming>| {
        let service = service.clone();
        // the content of a GET or HEAD means nothing (RFC 9110 section 9.3.1); hyper discards it
        let (head, _) = request.into_parts();
        async move { Ok::<_, Infallible>(service.answer(head).await) }
    });
    let mut connection = pin!(builder.serve_connection(io, answer));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = drain.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!(error = %error, "a connection ended early");
    }
}
