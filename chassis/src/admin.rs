//! The admin server: `/livez`, `/readyz`, `/metrics`, `/status`. For probes and
//! operators; never for the outside.

use std::{
    sync::{Arc, Mutex},
    time::Instant,
};

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::{Value, json};

use crate::{error::Error, health::Health, lock::locked, service::Context, telemetry::Telemetry};

type Facts = Box<dyn Fn() -> Value + Send + Sync>;

/// Facts that parts of a service tell in `/status`.
#[derive(Clone, Default)]
pub(crate) struct StatusBoard(Arc<Mutex<Vec<(&'static str, Facts)>>>);

impl StatusBoard {
    pub(crate) fn add(
        &self,
        name: &'static str,
        facts: impl Fn() -> Value + Send + Sync + 'static,
    ) {
        self.lock().push((name, Box::new(facts)));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(&'static str, Facts)>> {
        locked(&self.0)
    }
}

#[derive(Clone)]
struct Admin {
    name: &'static str,
    started: Instant,
    health: Health,
    telemetry: Telemetry,
    status: StatusBoard,
}

/// The admin routes of a service.
pub(crate) fn router(context: &Context) -> Router {
    Router::new()
        .route("/livez", get(live))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/status", get(status))
        .with_state(Admin {
            name: context.name(),
            started: Instant::now(),
            health: context.health().clone(),
            telemetry: context.telemetry().clone(),
            status: context.status().clone(),
        })
}

async fn live(State(admin): State<Admin>) -> Response {
    let overdue = admin.health.overdue();
    let status = if overdue.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (
        status,
        Json(json!({ "live": overdue.is_empty(), "overdue": overdue })),
    )
        .into_response()
}

async fn ready(State(admin): State<Admin>) -> Response {
    let ready = admin.health.is_ready();
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let body = json!({ "ready": ready, "conditions": admin.health.conditions() });
    (status, Json(body)).into_response()
}

async fn metrics(State(admin): State<Admin>) -> Result<impl IntoResponse, Error> {
    let text = admin.telemetry.metrics_text().map_err(Error::internal)?;
    Ok((
        [(
            header::CONTENT_TYPE,
            "text/plain; version=0.0.4; charset=utf-8",
        )],
        text,
    ))
}

async fn status(State(admin): State<Admin>) -> Json<Value> {
    let mut body = json!({
        "service": admin.name,
        "version": env!("CARGO_PKG_VERSION"),
        "uptimeSeconds": admin.started.elapsed().as_secs(),
        "ready": admin.health.is_ready(),
        "conditions": admin.health.conditions(),
    });
    for (name, facts) in admin.status.lock().iter() {
        body[*name] = facts();
    }
    Json(body)
}
