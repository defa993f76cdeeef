//! The OpenAPI document and its page.

use std::collections::BTreeSet;

use axum::{
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use serde_json::Value;

use super::Doors;
use crate::rest::types::names;

/// Every route of the contract.
const ROUTES: [(&str, &str); 23] = [
    ("post", "/order"),
    ("post", "/orders"),
    ("get", "/orders"),
    ("get", "/orders/{orderId}"),
    ("get", "/orders/{orderId}/events"),
    ("get", "/orders/{orderId}/payment"),
    ("get", "/orders/{orderId}/notifications"),
    ("get", "/orders/{orderId}/notifications/{notificationId}"),
    (
        "get",
        "/orders/{orderId}/notifications/{notificationId}/html",
    ),
    ("get", "/orders/{orderId}/records"),
    ("get", "/users/{userId}/orders"),
    ("post", "/events"),
    ("get", "/analytics/stats"),
    ("get", "/analytics/rate"),
    ("get", "/analytics/top-products"),
    ("get", "/analytics/product-pairs"),
    ("get", "/analytics/users/{userId}"),
    ("get", "/analytics/funnel"),
    ("get", "/ops/services"),
    ("get", "/ops/live"),
    ("get", "/ops/dead-letters"),
    ("post", "/ops/dead-letters/replay"),
    ("get", "/openapi.json"),
];

/// The routes for operators, as addresses that could be asked.
pub(super) fn operators_routes() -> Vec<(String, String)> {
    let is_for_operators = |path: &str| path.starts_with("/ops/") || path.ends_with("/records");
    let routes = ROUTES
        .into_iter()
        .filter(|(_, path)| is_for_operators(path));
    routes
        .map(|(method, path)| (method.to_ascii_uppercase(), path.replace(['{', '}'], "")))
        .collect()
}

async fn document(doors: &Doors) -> Value {
    let answer = doors.get("/openapi.json").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header(header::CONTENT_TYPE), "application/json");
    answer.json()
}

fn documented(document: &Value) -> BTreeSet<(String, String)> {
    let paths = document["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().keys();
            methods.map(move |method| (method.clone(), path.clone()))
        })
        .collect()
}

#[tokio::test]
async fn the_document_lists_the_routes_of_the_contract_and_no_others() {
    let doors = Doors::open();
    let expected = ROUTES
        .iter()
        .map(|(method, path)| ((*method).to_owned(), (*path).to_owned()))
        .collect();
    assert_eq!(documented(&document(&doors).await), expected);
}

#[tokio::test]
async fn names_of_enums_are_documented_as_they_are_sent() {
    let doors = Doors::open();
    let document = document(&doors).await;
    let schemas = &document["components"]["schemas"];
    for (schema, names) in [
        ("OrderStatus", names::OrderStatus::NAMES),
        ("DeclineCode", names::DeclineCode::NAMES),
        ("PaymentStatus", names::PaymentStatus::NAMES),
        ("NotificationKind", names::NotificationKind::NAMES),
        ("NotificationStatus", names::NotificationStatus::NAMES),
        ("UserEventType", names::UserEventType::NAMES),
        ("FunnelStageKind", names::FunnelStageKind::NAMES),
    ] {
        assert_eq!(
            schemas[schema]["enum"],
            serde_json::json!(names),
            "{schema}"
        );
    }
}

#[test]
fn every_route_is_explained() {
    let explained = include_str!("../../../docs/api.md");
    for (method, path) in ROUTES {
        let row = format!("| {} `{path}` |", method.to_ascii_uppercase());
        assert!(explained.contains(&row), "{row}");
    }
}

#[tokio::test]
async fn every_route_is_served_with_its_documented_methods_and_no_others() {
    let doors = Doors::open();
    let documented = documented(&document(&doors).await);
    let paths: BTreeSet<_> = documented.iter().map(|(_, path)| path.clone()).collect();
    for path in paths {
        let request = Request::builder()
            .method(Method::TRACE)
            .uri(path.replace(['{', '}'], ""))
            .body(Body::empty());
        let answer = doors.send(request.unwrap()).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        let allowed: BTreeSet<_> = answer
            .header(header::ALLOW)
            .split(',')
            .map(str::to_ascii_lowercase)
            // Served by the router for each GET.
            .filter(|method| method != "head")
            .collect();
        let expected: BTreeSet<_> = documented
            .iter()
            .filter(|(_, of)| *of == path)
            .map(|(method, _)| method.clone())
            .collect();
        assert_eq!(allowed, expected, "{path}");
    }
}

#[tokio::test]
async fn every_reference_of_the_document_leads_somewhere() {
    let doors = Doors::open();
    let document = document(&doors).await;
    let mut references = Vec::new();
    collect_references(&document, &mut references);
    assert!(!references.is_empty());
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

fn collect_references(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(reference)) = fields.get("$ref") {
                references.push(reference.clone());
            }
            for value in fields.values() {
                collect_references(value, references);
            }
        }
        Value::Array(items) => {
            for value in items {
                collect_references(value, references);
            }
        }
        _ => {}
    }
}

#[tokio::test]
async fn placing_an_order_documents_every_status_of_the_error_table() {
    let doors = Doors::open();
    let document = document(&doors).await;
    for path in ["/order", "/orders"] {
        let responses = &document["paths"][path]["post"]["responses"];
        for status in [
            "202", "400", "408", "413", "415", "422", "429", "431", "500", "503", "504",
        ] {
            assert!(
                responses[status].is_object(),
                "{path} {status}: {responses}"
            );
        }
    }
    let missing = &document["paths"]["/orders/{orderId}"]["get"]["responses"]["404"];
    assert!(missing["headers"]["Retry-After"].is_object(), "{missing}");
}

#[tokio::test]
async fn a_problem_has_the_fields_that_are_documented() {
    let doors = Doors::open();
    let document = document(&doors).await;
    let described = &document["components"]["schemas"]["Problem"]["properties"];
    let error = chassis::error::Error::invalid_field("userId", "is required")
        .with("order_id", "o")
        .with("trace_id", "t");
    let problem = serde_json::to_value(error.problem()).unwrap();
    let names = |value: &Value| {
        value
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(names(&problem), names(described));
    let reasons = &document["components"]["schemas"]["ProblemReason"]["enum"];
    assert!(
        reasons.as_array().unwrap().contains(&problem["reason"]),
        "{reasons}"
    );
}
