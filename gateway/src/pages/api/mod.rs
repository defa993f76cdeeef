//! The REST API as a page: every operation and every type of its document.
//!
//! Rendered here and not by a viewer in the browser: it reads without scripts, within
//! the pages' content security policy, and by a screen reader (ADR 4).

mod model;
mod text;

use anyhow::Context as _;
use utoipa::openapi::OpenApi;

use super::render::Template;

pub(super) const PATH: &str = "/docs";

pub(super) fn page(api: &OpenApi) -> anyhow::Result<Template> {
    let document = serde_json::to_value(api).context("the API's document")?;
    Ok(Template {
        name: "api",
        path: PATH,
        title: "REST API",
        description: "Every operation of Ordermesh's REST API, with its parameters and answers.",
        styles: &["reference.css"],
        scripts: &["copy.js"],
        frames: false,
        values: serde_json::to_value(model::Reference::of(&document))?,
    })
}
