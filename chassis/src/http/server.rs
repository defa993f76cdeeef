//! The HTTP server. axum's own `serve` has no bounds on headers and their time,
//! so the connections are hyper's, told ours.

use std::{sync::Arc, time::Duration};

use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::{net::TcpListener, sync::Semaphore, task::unconstrained};
use tokio_util::sync::CancellationToken;

/// A client that does not finish its headers in this time is sent away: slow
/// headers are how few clients hold many connections.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// All headers of a request together; hyper answers 431 beyond.
const MAX_HEADER_BYTES: usize = 16 * 1024;
/// Number of headers.
const MAX_HEADERS: usize = 64;
/// Streams at once on one HTTP/2 connection.
const MAX_STREAMS: u32 = 1_024;
/// Connections at once. Further ones wait in the listener's queue, where they cost
/// this process nothing.
const MAX_CONNECTIONS: usize = 8_192;
/// A failing accept (too many open files) is tried again after this.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until the doors close; then finishes the requests it has.
pub async fn serve(
    listener: TcpListener,
    router: axum::Router,
    doors: CancellationToken,
) -> anyhow::Result<()> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEADER_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(MAX_HEADER_BYTES).unwrap_or(u32::MAX))
        .max_concurrent_streams(MAX_STREAMS)
        .keep_alive_interval(Some(Duration::from_secs(30)));
    let connections = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let place = tokio::select! {
            () = doors.cancelled() => break,
            place = unconstrained(Arc::clone(&places).acquire_owned()) => place?,
        };
        // Unconstrained: what waits is accepted in one go. With Tokio's budget, 64 a
        // turn, the queue overflows when thousands of clients come to a busy process.
        let stream = tokio::select! {
            () = doors.cancelled() => break,
            accepted = unconstrained(listener.accept()) => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
        };
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone());
        let connection = builder
            .serve_connection_with_upgrades(TokioIo::new(stream), service)
            .into_owned();
        let watched = connections.watch(connection);
        tokio::spawn(async move {
            // A connection that breaks is the client's business.
            if let Err(error) = watched.await {
                tracing::debug!(error, "a connection ended early");
            }
            drop(place);
        });
    }
    drop(listener);
    connections.shutdown().await;
    Ok(())
}
