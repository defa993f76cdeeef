//! The API's document.

use axum::{
    Extension,
    http::header,
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use utoipa::openapi::OpenApi;

/// The document as it is sent.
#[derive(Debug, Clone)]
pub(crate) struct Document(Bytes);

impl Document {
    pub(crate) fn new(api: &OpenApi) -> Self {
        // Plain maps, lists and texts always serialize.
        Self(api.to_json().unwrap_or_default().into())
    }
}

/// Get the OpenAPI document
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "getDocument",
    tag = "documents",
    responses((status = 200, description = "This document", content_type = "application/json")),
)]
pub(crate) async fn openapi(Extension(Document(json)): Extension<Document>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], json).into_response()
}
