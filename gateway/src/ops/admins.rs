//! Asks the services' admin servers.
//!
//! Invariant: an answer takes a bounded time and a bounded size, and every instance
//! behind a name is asked, each once.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::Duration,
};

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

use super::{Status, Statuses};

/// How long an instance may take, its name's resolution included. They are asked
/// every second.
const ANSWER: Duration = Duration::from_secs(1);
/// Largest answer: a thousand partitions are 150 KB.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;
/// Instances of one service that are asked. More would not be one dashboard's work.
const MOST_INSTANCES: usize = 64;
/// Instances that are asked at once.
const ASKED_AT_ONCE: usize = 16;
/// How long a connection is kept for the next time.
const IDLE: Duration = Duration::from_secs(10);

/// Where admin servers are, each as `host:port`.
pub(crate) type AdminAddresses = BTreeMap<&'static str, Vec<String>>;

/// The admin servers of all services.
#[derive(Debug)]
pub(crate) struct Admins {
    client: Client<HttpConnector, Empty<Bytes>>,
    addresses: AdminAddresses,
}

impl Admins {
    /// An address as `host:port`; it may come as `http://host:port`.
    pub(crate) fn address(text: &str) -> Option<String> {
        let plain = text.strip_prefix("http://").unwrap_or(text);
        let authority: http::uri::Authority = plain.trim_end_matches('/').parse().ok()?;
        let has_user = authority.as_str().contains('@');
        (authority.port_u16().is_some() && !has_user).then(|| authority.to_string())
    }

    pub(crate) fn new(addresses: AdminAddresses) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(ANSWER));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE)
            .build(connector);
        Self { client, addresses }
    }

    /// What all instances of a service say.
    pub(crate) async fn statuses(&self, service: &str) -> Statuses {
        let addresses = self.addresses.get(service).map_or(&[][..], Vec::as_slice);
        let mut instances = BTreeSet::new();
        let mut statuses = Statuses::new();
        for (address, found) in resolve(addresses).await {
            match found {
                Ok(found) => instances.extend(found),
                Err(why) => statuses.push(Err(format!("{address}: {why}"))),
            }
        }
        let answers = stream::iter(instances.into_iter().take(MOST_INSTANCES))
            .map(|instance| async move {
                let answer = tokio::time::timeout(ANSWER, self.status(instance)).await;
                let answer = answer.unwrap_or_else(|_| Err("no answer in time".to_owned()));
                answer.map_err(|why| format!("{instance}: {why}"))
            })
            .buffered(ASKED_AT_ONCE)
            .collect::<Vec<_>>()
            .await;
        statuses.extend(answers);
        if statuses.is_empty() {
            statuses.push(Err("no address of it is known".to_owned()));
        }
        statuses
    }

    async fn status(&self, instance: SocketAddr) -> Result<Status, String> {
        let uri = Uri::builder()
            .scheme("http")
            .authority(instance.to_string())
            .path_and_query("/status")
            .build()
            .map_err(|error| error.to_string())?;
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = uri;
        let answer = self.client.request(request).await.map_err(|error| {
            if error.is_connect() {
                "it does not take connections".to_owned()
            } else {
                "it broke off".to_owned()
            }
        })?;
        if answer.status() != StatusCode::OK {
            return Err(format!("it answered {}", answer.status()));
        }
        let body = Limited::new(answer.into_body(), MAX_ANSWER_BYTES);
        let body = body
            .collect()
            .await
            .map_err(|_| "its answer broke off".to_owned())?;
        serde_json::from_slice(&body.to_bytes())
            .map_err(|_| "its answer is not that of an admin server".to_owned())
    }
}

type Found = Result<Vec<SocketAddr>, String>;

/// All instances behind each name. Where a name has addresses of both kinds, those
/// of IPv4 are taken: both would lead to the same instance twice.
async fn resolve(addresses: &[String]) -> Vec<(&String, Found)> {
    let found = addresses.iter().map(|address| async move {
        let found = tokio::time::timeout(ANSWER, tokio::net::lookup_host(address)).await;
        let found = match found {
            Ok(Ok(found)) => Ok(found.collect::<Vec<_>>()),
            Ok(Err(_)) => Err("there is no such name".to_owned()),
            Err(_) => Err("its name was not resolved in time".to_owned()),
        };
        let found = found.map(|mut found| {
            if found.iter().any(SocketAddr::is_ipv4) {
                found.retain(SocketAddr::is_ipv4);
            }
            found
        });
        (address, found)
    });
    futures::future::join_all(found).await
}

#[cfg(test)]
mod tests {
    use axum::{Json, Router, routing::get};
    use serde_json::json;
    use tokio::net::TcpListener;

    use super::*;

    async fn serve(router: Router) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }

    fn asked(addresses: &[String]) -> Admins {
        Admins::new([("history", addresses.to_vec())].into())
    }

    fn status() -> Router {
        let body = json!({ "version": "1", "uptimeSeconds": 5, "ready": true });
        Router::new().route("/status", get(async move || Json(body.clone())))
    }

    #[test]
    fn an_address_is_a_host_and_a_port() {
        for (text, address) in [
            ("history:9104", Some("history:9104")),
            ("http://history:9104/", Some("history:9104")),
            ("[::1]:9104", Some("[::1]:9104")),
            ("history", None),
            ("https://history:9104", None),
            ("me:pw@history:9104", None),
            ("http://history:9104/status", None),
            ("", None),
        ] {
            assert_eq!(Admins::address(text).as_deref(), address, "{text}");
        }
    }

    #[tokio::test]
    async fn every_instance_is_asked_once_and_those_that_are_away_are_told() {
        let (one, two) = (serve(status()).await, serve(status()).await);
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let away = gone.local_addr().unwrap().to_string();
        drop(gone);
        let admins = asked(&[one.clone(), two, one, away.clone()]);
        let statuses = admins.statuses("history").await;
        let (there, gone): (Vec<_>, Vec<_>) = statuses.into_iter().partition(Result::is_ok);
        assert_eq!((there.len(), gone.len()), (2, 1));
        let why = gone[0].as_ref().unwrap_err();
        assert!(why.starts_with(&away), "{why}");
    }

    #[tokio::test]
    async fn what_is_no_status_is_none() {
        let huge = Router::new().route("/status", get(async || "x".repeat(2 * 1024 * 1024)));
        let other = Router::new().route("/status", get(async || "<html>"));
        for router in [huge, other, Router::new()] {
            let admins = asked(&[serve(router).await]);
            let statuses = admins.statuses("history").await;
            assert!(matches!(statuses[..], [Err(_)]), "{statuses:?}");
        }
        assert!(matches!(asked(&[]).statuses("history").await[..], [Err(_)]));
    }

    #[tokio::test]
    async fn who_does_not_answer_is_not_waited_for() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let silent = listener.local_addr().unwrap().to_string();
        let start = std::time::Instant::now();
        let statuses = asked(&[silent]).statuses("history").await;
        assert!(matches!(statuses[..], [Err(_)]), "{statuses:?}");
        assert!(start.elapsed() < 3 * ANSWER);
    }
}
