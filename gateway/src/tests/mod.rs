//! Both doors, in process, before a backend that does as it is told.

mod document;
mod looking;
mod mails;
mod operations;
mod pages;
mod reading;
mod records;
mod streams;
mod table;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, HeaderName, Method, Request, StatusCode, header},
};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use proto::orders::v1::{
    order_service_client::OrderServiceClient, order_service_server::OrderServiceServer,
};
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};
use tower::ServiceExt as _;

use crate::{
    backend::pretend::Pretend,
    core::{Core, Parts, Timeouts},
    gate::Gate,
    grpc::{self, Api},
    intake::Intake,
    ops::{self, Access, Feed},
    pages::PageOptions,
    place::Placing,
    rest,
    watch::{Hub, HubOptions},
};

/// Both doors of one gateway.
struct Doors {
    backend: Arc<Pretend>,
    operations: Arc<ops::pretend::Pretend>,
    core: Core,
    rest: Router,
    closing: CancellationToken,
    _stop: DropGuard,
}

/// An HTTP answer.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn header(&self, name: impl header::AsHeaderName) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// Fails unless it has these headers; `what` was asked for.
    fn expect_headers<const N: usize>(&self, what: &str, expected: [(HeaderName, &str); N]) {
        for (name, value) in expected {
            assert_eq!(self.header(&name), value, "{what}: {name}");
        }
    }

    /// The fields that a problem names.
    fn fields(&self) -> Vec<String> {
        let json = self.json();
        let errors = json["errors"].as_array().cloned().unwrap_or_default();
        errors
            .iter()
            .map(|error| error["field"].as_str().unwrap().to_owned())
            .collect()
    }
}

impl Doors {
    fn open() -> Self {
        Self::with(Timeouts {
            place: Duration::from_secs(10),
            read: Duration::from_secs(2),
        })
    }

    fn with(timeouts: Timeouts) -> Self {
        Self::with_access(timeouts, Access::Open)
    }

    fn with_access(timeouts: Timeouts, access: Access) -> Self {
        let backend = Arc::new(Pretend::default());
        let options = HubOptions {
            patience: Duration::from_millis(200),
            most_watchers: 10,
        };
        let hub = Hub::new(backend.clone(), options);
        let closing = CancellationToken::new();
        tokio::spawn(hub.clone().run(closing.clone(), closing.clone()));
        let operations = Arc::new(ops::pretend::Pretend::default());
        let feed = Feed::new(backend.clone(), operations.clone());
        tokio::spawn(feed.clone().run(closing.clone(), closing.clone()));
        let email = chassis::config::Setting::parse("user{userId}@customers.example").unwrap();
        let core = Core::new(Parts {
            backend: backend.clone(),
            gate: Gate::new(4),
            hub,
            operations: operations.clone(),
            feed,
            access,
            intake: Intake::default(),
            placing: Placing {
                email,
                lookup: Duration::from_millis(20),
            },
            timeouts,
        });
        Self {
            backend,
            operations,
            rest: rest::router(core.clone(), &PageOptions::default()).unwrap(),
            core,
            _stop: closing.clone().drop_guard(),
            closing,
        }
    }

    fn grpc(&self) -> OrderServiceClient<OrderServiceServer<Api>> {
        OrderServiceClient::new(grpc::server(self.core.clone()))
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.rest.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: head.status,
            headers: head.headers,
            body,
        }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap())
            .await
    }

    async fn post(&self, path: &str, body: impl Into<Body>) -> Answer {
        self.post_with(path, &[], body).await
    }

    async fn post_with(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = Request::builder().method(Method::POST).uri(path);
        if !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(body.into()).unwrap()).await
    }
}

/// The order that the documentation shows.
fn order() -> Value {
    json!({
        "userId": 42,
        "products": [
            { "id": 1, "name": "Keyboard", "price": 999 },
            { "id": 2, "name": "Mouse", "price": 499 },
        ],
    })
}
