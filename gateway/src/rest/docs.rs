//! The document and its page, Swagger UI.
//!
//! Invariant: a browser asks no other host. The page and its scripts are within
//! the binary, Swagger UI's online validator is off, and a content security
//! policy holds the browser to it.

use std::{borrow::Cow, sync::Arc};

use axum::{
    Extension,
    extract::Path,
    http::header,
    response::{IntoResponse as _, Redirect, Response},
};
use bytes::Bytes;
use chassis::error::Error;
use utoipa_swagger_ui::Config;

use super::failure::Failure;

/// Swagger UI writes styles into its page and draws icons from data.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";

/// What the documents' routes serve.
pub(crate) struct Documents {
    openapi: Bytes,
    page: Arc<Config<'static>>,
}

impl Documents {
    /// The documents of an API.
    pub(crate) fn new(api: &utoipa::openapi::OpenApi) -> Self {
        // Plain maps, lists and texts always serialize.
        let openapi = api.to_json().unwrap_or_default().into();
        let page = Config::new(["/openapi.json"])
            .validator_url("none")
            .try_it_out_enabled(true)
            .display_request_duration(true);
        Self {
            openapi,
            page: Arc::new(page),
        }
    }

    fn file(&self, path: &str) -> Result<Response, Failure> {
        let file = utoipa_swagger_ui::serve(path, Arc::clone(&self.page))
            .map_err(|error| Error::internal(error.to_string()))?
            .ok_or_else(Failure::no_such_path)?;
        let headers = [
            (header::CONTENT_TYPE, file.content_type.as_str()),
            (header::CONTENT_SECURITY_POLICY, POLICY),
        ];
        let bytes = match file.bytes {
            Cow::Borrowed(bytes) => Bytes::from_static(bytes),
            Cow::Owned(bytes) => bytes.into(),
        };
        Ok((headers, bytes).into_response())
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
pub(crate) async fn openapi(Extension(documents): Extension<Arc<Documents>>) -> Response {
    let json = [(header::CONTENT_TYPE, "application/json")];
    (json, documents.openapi.clone()).into_response()
}

/// Go to the documentation
#[utoipa::path(
    get,
    path = "/docs",
    operation_id = "findDocumentation",
    tag = "documents",
    responses((status = 308, description = "It is at /docs/")),
)]
pub(crate) async fn moved() -> Redirect {
    Redirect::permanent("/docs/")
}

/// Read the documentation
#[utoipa::path(
    get,
    path = "/docs/",
    operation_id = "readDocumentation",
    tag = "documents",
    responses((status = 200, description = "Swagger UI", content_type = "text/html")),
)]
pub(crate) async fn page(
    Extension(documents): Extension<Arc<Documents>>,
) -> Result<Response, Failure> {
    documents.file("index.html")
}

/// Get a part of the documentation's page
#[utoipa::path(
    get,
    path = "/docs/{file}",
    operation_id = "getDocumentationFile",
    tag = "documents",
    params(("file" = String, Path, description = "The file's name")),
    responses(
        (status = 200, description = "The file"),
        super::responses::Unknown,
    ),
)]
pub(crate) async fn asset(
    Extension(documents): Extension<Arc<Documents>>,
    Path(file): Path<String>,
) -> Result<Response, Failure> {
    documents.file(&file)
}
