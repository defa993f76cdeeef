//! The client side: one channel per service, for reads.
//!
//! Layers from the outside in: span → breaker → balance → connection. Retries
//! wrap the whole call instead of being a layer, because a tonic body cannot be
//! cloned.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use backon::{ExponentialBuilder, Retryable as _};
use http::{HeaderMap, Request, Response};
use opentelemetry::metrics::Meter;
use tonic::{
    Code, Status, TimeoutExpired,
    body::Body,
    transport::{Channel, Endpoint},
};
use tower::Service;

use super::Deadline;
use crate::{
    breaker::Breaker,
    error::Error,
    telemetry::{self, HeaderCarrier},
};

/// How long a connection may take to come up. A peer on the same network that
/// takes longer is away.
const CONNECT: Duration = Duration::from_secs(1);
/// A service that does not answer for so long is away. Callers that give up
/// sooner learn nothing about it.
const PATIENCE: Duration = Duration::from_secs(1);
/// Retries of a read, within its deadline.
const RETRIES: usize = 2;

/// A service's addresses cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{address:?} is not a service's address; write host:port or http://host:port")]
pub struct ReadError {
    address: String,
}

/// A channel to one service: balanced over its addresses, traced, and guarded by
/// a breaker.
#[derive(Clone, Debug)]
pub struct ServiceChannel {
    channel: Channel,
    breaker: Arc<Breaker>,
}

impl ServiceChannel {
    /// Connects when first used, and again whenever the connection breaks. Must
    /// be called inside of a tokio runtime.
    pub fn new(addresses: &[String]) -> Result<Self, ReadError> {
        let endpoints = addresses
            .iter()
            .map(|address| endpoint(address))
            .collect::<Result<Vec<_>, _>>()?;
        let channel = match endpoints.as_slice() {
            // The balancer holds requests back while no peer is up; a single
            // connection tells at once.
            [one] => one.connect_lazy(),
            many => Channel::balance_list(many.iter().cloned()),
        };
        Ok(Self {
            channel,
            breaker: Arc::default(),
        })
    }

    /// Tells as a metric whether calls are refused, under the service's name.
    pub fn observe(&self, meter: &Meter, service: &'static str) {
        self.breaker.observe(meter, service);
    }

    /// Whether calls are refused for now because the service does not answer.
    pub fn is_open(&self) -> bool {
        self.breaker.is_open()
    }
}

fn endpoint(address: &str) -> Result<Endpoint, ReadError> {
    let wrong = || ReadError {
        address: address.to_owned(),
    };
    let url = if address.contains("://") {
        address.to_owned()
    } else {
        format!("http://{address}")
    };
    let uri: http::Uri = url.parse().map_err(|_| wrong())?;
    if uri.port().is_none() {
        return Err(wrong());
    }
    Ok(Endpoint::from(uri)
        .connect_timeout(CONNECT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(Duration::from_secs(20))
        .keep_alive_while_idle(true))
}

impl Service<Request<Body>> for ServiceChannel {
    type Response = Response<Body>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Status>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Status>> {
        self.channel
            .poll_ready(context)
            .map_err(|error| Status::unavailable(error.to_string()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let path = request.uri().path().trim_start_matches('/').to_owned();
        let traced = telemetry::span::grpc_client(&path);
        telemetry::inject(traced.context(), &mut HeaderCarrier(request.headers_mut()));
        let Some(permit) = self.breaker.admit() else {
            let refused =
                Status::unavailable("the service did not answer just now; not asked again yet");
            return Box::pin(async move { Err(refused) });
        };
        // The channel that was made ready is the one to call.
        let clone = self.channel.clone();
        let mut channel = std::mem::replace(&mut self.channel, clone);
        Box::pin(traced.run(async move {
            let begun = Instant::now();
            let result = channel.call(request).await;
            match &result {
                // Too soon to tell: the permit goes unused.
                Err(error) if has_expired(error) && begun.elapsed() < PATIENCE => {}
                Err(_) => permit.done(false),
                Ok(response) => permit.done(!is_unavailable(response.headers())),
            }
            result.map_err(|error| {
                if has_expired(&error) {
                    Status::deadline_exceeded("the service did not answer in time")
                } else {
                    Status::unavailable(source_chain(&error))
                }
            })
        }))
    }
}

fn is_unavailable(headers: &HeaderMap) -> bool {
    let code = headers.get(Status::GRPC_STATUS);
    code.is_some_and(|code| Code::from_bytes(code.as_bytes()) == Code::Unavailable)
}

/// Whether the call's own timeout ended it.
fn has_expired(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<TimeoutExpired>() {
            return true;
        }
        next = error.source();
    }
    false
}

fn source_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text.push_str(": ");
        text.push_str(&source.to_string());
        next = source.source();
    }
    text
}

/// Makes a reading call, again with jitter when the service is UNAVAILABLE,
/// until the deadline. Only for calls that change nothing.
///
/// The closure makes one attempt; it builds its request with
/// [`Deadline::request`], so that every attempt gets what is left.
pub async fn read<T, F, Fut>(deadline: Deadline, attempt: F) -> Result<T, Error>
where
    F: Fn() -> Fut,
    Fut: Future<Output = Result<tonic::Response<T>, Status>>,
{
    let attempts = attempt
        .retry(
            ExponentialBuilder::default()
                .with_min_delay(Duration::from_millis(20))
                .with_max_delay(Duration::from_millis(200))
                .with_max_times(RETRIES)
                .with_jitter(),
        )
        .when(|status: &Status| status.code() == Code::Unavailable && !deadline.has_passed());
    match tokio::time::timeout_at(deadline.instant(), attempts).await {
        Ok(Ok(response)) => Ok(response.into_inner()),
        Ok(Err(status)) => Err(status.into()),
        Err(_) => Err(Status::deadline_exceeded("the deadline passed").into()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::error::Reason;

    #[tokio::test]
    async fn reads_try_again_only_when_the_service_is_away() {
        for (code, expected) in [(Code::Unavailable, RETRIES + 1), (Code::NotFound, 1)] {
            let attempts = AtomicUsize::new(0);
            let result = read(Deadline::after(Duration::from_secs(5)), || {
                attempts.fetch_add(1, Ordering::Relaxed);
                async move { Err::<tonic::Response<()>, _>(Status::new(code, "x")) }
            })
            .await;
            assert!(result.is_err());
            assert_eq!(attempts.load(Ordering::Relaxed), expected);
        }
    }

    #[tokio::test]
    async fn no_attempt_outlives_the_deadline() {
        let result = read(Deadline::after(Duration::from_millis(10)), || {
            std::future::pending::<Result<tonic::Response<()>, Status>>()
        })
        .await;
        assert_eq!(result.unwrap_err().reason(), Reason::DeadlineExceeded);
    }

    #[tokio::test]
    async fn who_gives_up_soon_does_not_call_the_service_away() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = silent.local_addr().unwrap().to_string();
        let channel = ServiceChannel::new(&[address]).unwrap();
        let mut client = tonic_health::pb::health_client::HealthClient::new(channel.clone());
        for _ in 0..20 {
            let deadline = Deadline::after(Duration::from_millis(20));
            let question = tonic_health::pb::HealthCheckRequest::default();
            let status = client.check(deadline.request(question)).await;
            assert_eq!(status.unwrap_err().code(), Code::DeadlineExceeded);
        }
        assert!(!channel.is_open());
    }

    #[tokio::test]
    async fn an_address_without_a_port_is_refused_by_name() {
        let error = ServiceChannel::new(&["history".to_owned()]).unwrap_err();
        assert!(error.to_string().contains("history"));
        assert!(ServiceChannel::new(&["history:50054".to_owned()]).is_ok());
    }
}
