//! Records and dead letters, for operators.

use std::time::Duration;

use axum::{
    Json,
    extract::{Path, Request, State},
    http::Uri,
};
use chassis::{
    error::{Error, Reason},
    grpc::Deadline,
    kafka::dead_letters::{DeadLetter, LetterId},
};
use proto::{id::OrderId, time::UnixMicros};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Answer, body,
    failure::Failure,
    json,
    query::Params,
    responses::{BodyRefused, OperatorRefused, Refused, Unknown},
    types::{DeadLetters, OrderRecords, Replayed},
};
use crate::{
    core::Core,
    ops::{CONSUMERS, LetterQuery, search},
    validate::{Naming, Path as At, Violations, names},
    view,
};

/// How long looking into topics may take. A client has to connect first, and to ask
/// where each partition ends.
const LOOKING: Duration = Duration::from_secs(8);
/// How long putting back may take, looking included.
const REPLAYING: Duration = Duration::from_secs(25);
/// Letters that are shown unless told otherwise, and at most.
const LETTERS: (usize, usize) = (50, 500);
/// Letters that are put back at once.
const MOST_IDS: usize = 500;

/// See an order's records
///
/// What stands on Kafka of an order: when it was placed, paid and written about. For
/// operators.
#[utoipa::path(
    get,
    path = "/orders/{orderId}/records",
    operation_id = "getRecords",
    tag = "operations",
    params(("orderId" = uuid::Uuid, Path, description = "The id from placing the order")),
    responses(
        (status = 200, description = "The records", body = OrderRecords),
        Refused, OperatorRefused, Unknown,
    ),
)]
pub(crate) async fn order_records(
    State(core): State<Core>,
    Path(order_id): Path<String>,
    uri: Uri,
) -> Answer<OrderRecords> {
    let mut params = Params::of(&uri);
    let id = params.order_id(&order_id);
    let id = params.finish(id)?;
    let (wanted, is_known) = match core.view(id, Deadline::after(core.timeouts.read)).await {
        Ok(view) => (search::of_view(id, &view), true),
        // Without history its id may tell; an order that history gave up is just what
        // an operator looks for.
        Err(error) => {
            let wanted = search::of_id(id);
            if wanted.is_empty() {
                return Err(error.into());
            }
            (wanted, false)
        }
    };
    let found = core
        .operations
        .records(wanted, Deadline::after(LOOKING))
        .await?;
    if found.records.is_empty() && !is_known {
        return Err(unknown(id).into());
    }
    Ok(Json(OrderRecords::of(id, &found)))
}

fn unknown(id: OrderId) -> Error {
    view::unknown_order(id)
}

/// List dead letters
///
/// The newest of all services, newest first. For operators.
#[utoipa::path(
    get,
    path = "/ops/dead-letters",
    operation_id = "listDeadLetters",
    tag = "operations",
    params(
        ("service" = Option<String>, Query, description = "Only of this service"),
        ("class" = Option<String>, Query, description = "Only of this class: undecodable, \
            unsupported, invalid, conflict or exhausted"),
        ("pageSize" = Option<u64>, Query, description = "0 means 50; above 500 means 500"),
    ),
    responses(
        (status = 200, description = "The letters", body = DeadLetters),
        Refused, OperatorRefused,
    ),
)]
pub(crate) async fn dead_letters(State(core): State<Core>, uri: Uri) -> Answer<DeadLetters> {
    let mut params = Params::of(&uri);
    let service = params.one_of("service", &CONSUMERS, |name| {
        CONSUMERS.into_iter().find(|service| *service == name)
    });
    let classes: Vec<&str> = DeadLetter::classes().collect();
    let class = params.one_of("class", &classes, |name| {
        classes.contains(&name).then(|| name.to_owned())
    });
    let count = params.page_size(LETTERS.0, LETTERS.1);
    params.finish(Some(()))?;
    let query = LetterQuery {
        services: service.map_or_else(|| CONSUMERS.to_vec(), |service| vec![service]),
        class,
        count,
    };
    let newest = core
        .operations
        .newest_letters(query, Deadline::after(LOOKING))
        .await?;
    Ok(Json(DeadLetters::of(&newest, UnixMicros::now())))
}

/// Dead letters to put back.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code, reason = "only a description")]
#[schema(example = json!({ "ids": ["history:0:17"] }))]
pub(crate) struct ReplayRequest {
    /// Their ids, as the list tells them.
    #[schema(min_items = 1, max_items = 500)]
    ids: Vec<String>,
    /// Also those of events so old that services no longer know whether they took
    /// effect; default: false.
    force: Option<bool>,
}

/// Put dead letters back
///
/// To the service that gave them up, each once: what was put back before stays out. More
/// than 8 MiB of them at once are TOO_LARGE. For operators.
#[utoipa::path(
    post,
    path = "/ops/dead-letters/replay",
    operation_id = "replayDeadLetters",
    tag = "operations",
    request_body = ReplayRequest,
    responses(
        (status = 200, description = "What became of each", body = Replayed),
        Refused, BodyRefused, OperatorRefused,
    ),
)]
pub(crate) async fn replay(
    State(core): State<Core>,
    request: Request,
) -> Result<Json<Replayed>, Failure> {
    let deadline = Deadline::after(REPLAYING);
    Params::of(request.uri()).finish(Some(()))?;
    let body = body::read(request, deadline).await?;
    let (ids, force) = wish(&body)?;
    let replayed = core.operations.replay(ids, force, deadline).await;
    let replayed = replayed.map_err(|error| match error.reason() {
        Reason::DeadlineExceeded => Error::new(
            Reason::DeadlineExceeded,
            "there was not time for all of them; ask again, and what is back stays out",
        )
        .caused_by(error),
        _ => error,
    })?;
    Ok(Json(replayed.into()))
}

/// The letters that a body names, each once, and whether force is used.
fn wish(body: &[u8]) -> Result<(Vec<LetterId>, bool), Error> {
    let mut violations = Violations::new(Naming::Json);
    let at = At::Root.field(names::IDS);
    let mut ids = Vec::new();
    let mut force = false;
    if let Some(mut object) = json::object(body, &mut violations) {
        let texts = object.texts(names::IDS, &mut violations);
        force = object
            .flag(names::FORCE, &mut violations)
            .unwrap_or_default();
        object.close(&mut violations);
        let texts = violations.required(at, texts).unwrap_or_default();
        if texts.len() > MOST_IDS {
            violations.add(at, format_args!("must be at most {MOST_IDS}"));
        }
        for (index, text) in texts.into_iter().take(MOST_IDS) {
            let id = text.parse().ok();
            let id = id.filter(|id: &LetterId| CONSUMERS.contains(&&*id.service));
            match id {
                Some(id) if ids.contains(&id) => {}
                Some(id) => ids.push(id),
                None => violations.add(
                    at.item(index),
                    format_args!(
                        "must be SERVICE:PARTITION:OFFSET with a service of {}",
                        CONSUMERS.join(", ")
                    ),
                ),
            }
        }
        if ids.is_empty() {
            violations.add(at, "must name at least one");
        }
    }
    violations.finish(Some((ids, force)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(body: &str) -> Vec<String> {
        let error = wish(body.as_bytes()).unwrap_err();
        let violations = error.violations().iter();
        violations
            .map(|violation| violation.field.clone())
            .collect()
    }

    #[test]
    fn each_letter_is_named_once() {
        let body = r#"{"ids":["history:0:17","payments:2:0","history:0:17"],"force":true}"#;
        let (ids, force) = wish(body.as_bytes()).unwrap();
        let texts: Vec<_> = ids.iter().map(LetterId::to_string).collect();
        assert_eq!(
            (texts, force),
            (vec!["history:0:17".into(), "payments:2:0".into()], true)
        );
    }

    #[test]
    fn all_that_is_wrong_is_told_together() {
        let body =
            r#"{"ids":["history:0:17","gateway:0:0",5,"history:00:1"],"force":"yes","all":1}"#;
        assert_eq!(fields(body), ["ids[2]", "force", "all", "ids[1]", "ids[3]"]);
        assert_eq!(fields("{}"), ["ids"]);
        assert_eq!(fields(r#"{"ids":[]}"#), ["ids"]);
        assert_eq!(fields(r#"{"ids":"history:0:17"}"#), ["ids"]);
        let many: Vec<_> = (0..501)
            .map(|offset| format!("history:0:{offset}"))
            .collect();
        let body = serde_json::json!({ "ids": many }).to_string();
        assert_eq!(fields(&body), ["ids"]);
    }
}
