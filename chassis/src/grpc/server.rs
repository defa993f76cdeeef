//! The gRPC server: services, reflection, health, limits.

use std::{convert::Infallible, time::Duration};

use anyhow::Context as _;
use http::Request;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::{body::Body, server::NamedService, service::Routes, transport::Server};
use tonic_health::{ServingStatus, server::HealthReporter};
use tower::Service;

use super::call::CallLayer;
use crate::{health::Health, telemetry::Telemetry};

/// Streams at once on one connection. Enough for a busy gateway; a flood on one
/// connection stays within it.
const MAX_STREAMS: u32 = 1_024;
/// Headers of one request; HTTP/1's usual bound.
const MAX_HEADER_BYTES: u32 = 16 * 1024;
/// Resets that a peer may have pending before its connection is closed: the
/// answer to "rapid reset" (CVE-2023-44487).
const MAX_PENDING_RESETS: usize = 20;
/// A silent peer is asked after this, and dropped when it does not answer.
const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// The services of one server.
#[derive(Debug, Default)]
pub struct GrpcRoutes {
    routes: Routes,
    names: Vec<&'static str>,
}

impl GrpcRoutes {
    /// No services yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a generated server. Limits on its messages are the caller's to set on
    /// it; tonic decodes up to 4 MiB by default.
    pub fn with<S>(mut self, service: S) -> Self
    where
        S: Service<Request<Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Response: axum::response::IntoResponse,
        S::Future: Send + 'static,
    {
        self.routes = self.routes.add_service(service);
        self.names.push(S::NAME);
        self
    }
}

/// Serves until the doors close; then finishes the calls it has.
pub fn serve(
    listener: TcpListener,
    descriptors: &'static [u8],
    routes: GrpcRoutes,
    health: Health,
    telemetry: &Telemetry,
    doors: CancellationToken,
) -> anyhow::Result<impl Future<Output = anyhow::Result<()>> + Send + 'static> {
    let GrpcRoutes { routes, names } = routes;
    let reporter = HealthReporter::new();
    let health_service = tonic_health::pb::health_server::HealthServer::new(
        tonic_health::server::HealthService::from_health_reporter(reporter.clone()),
    );
    // grpcurl asks v1 first, older tools v1alpha.
    let reflection = || {
        let builder = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(descriptors)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            // So that tools can read the details of our errors.
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
            .with_service_name("grpc.health.v1.Health");
        // The descriptors hold every service's schema; listed is what is served.
        names
            .iter()
            .fold(builder, |builder, name| builder.with_service_name(*name))
    };
    let routes = routes
        .add_service(health_service)
        .add_service(reflection().build_v1().context("reflection")?)
        .add_service(reflection().build_v1alpha().context("reflection")?)
        .prepare();
    let mut server = Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .max_concurrent_streams(MAX_STREAMS)
        .http2_max_header_list_size(MAX_HEADER_BYTES)
        .http2_max_pending_accept_reset_streams(Some(MAX_PENDING_RESETS))
        .layer(CallLayer::new(telemetry));
    let incoming = futures::StreamExt::map(TcpListenerStream::new(listener), |stream| {
        if let Ok(stream) = &stream {
            // Without it, small answers wait for Nagle's algorithm.
            let _ = stream.set_nodelay(true);
        }
        stream
    });
    Ok(async move {
        let reporting = tokio::spawn(report(reporter, health, names, doors.clone()));
        let result = server
            .add_routes(routes)
            .serve_with_incoming_shutdown(incoming, doors.cancelled())
            .await;
        reporting.abort();
        result.context("gRPC server")
    })
}

/// Tells `grpc.health.v1` what the service's health is: `""` follows readiness,
/// the services' own names whether calls can be answered.
async fn report(
    reporter: HealthReporter,
    health: Health,
    names: Vec<&'static str>,
    doors: CancellationToken,
) {
    let status = |serving| {
        if serving {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        }
    };
    let mut changes = health.subscribe();
    loop {
        let open = !doors.is_cancelled();
        reporter
            .set_service_status("", status(open && health.is_ready()))
            .await;
        for name in &names {
            reporter
                .set_service_status(name, status(open && health.answers_calls()))
                .await;
        }
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            () = doors.cancelled(), if open => {}
        }
    }
}
