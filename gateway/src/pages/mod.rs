//! The web pages: HTML that the gateway renders once, when it starts, and small
//! scripts that talk to the public API.
//!
//! Invariant: a page holds nothing that a caller sent. All that is theirs comes
//! from the API at run time, and the scripts make text of it, never markup; the
//! content security policy allows no other script, and no other host.

mod api;
mod assets;
mod console;
mod grpc;
mod render;
mod served;
mod shop;
mod trace_url;

use axum::{
    Router,
    extract::Path,
    http::HeaderMap,
    response::{Redirect, Response},
    routing::get,
};
use utoipa::openapi::OpenApi;

use crate::rest::Failure;
use assets::Assets;
use render::Renderer;
use served::Page;
pub(crate) use trace_url::TraceUrl;

/// What the pages depend on.
#[derive(Debug, Clone, Default)]
pub(crate) struct PageOptions {
    /// Where an order's trace can be looked at.
    pub(crate) trace_url: Option<TraceUrl>,
}

/// The routes of all pages; one of them shows the API of this document.
///
/// An error is a template of ours that does not render.
pub(crate) fn router<S>(options: &PageOptions, document: &OpenApi) -> anyhow::Result<Router<S>>
where
    S: Clone + Send + Sync + 'static,
{
    let assets = Assets::embedded();
    let renderer = Renderer::new(assets.root())?;
    let mut router = Router::new();
    let pages = [shop::page(options)?, api::page(document)?, grpc::page()?];
    for template in pages.into_iter().chain(console::pages(options)) {
        let rendered = Page::new(renderer.page(&template)?, template.frames);
        router = router.route(template.path, get(page(rendered)));
    }
    Ok(router
        .route("/docs/", get(async || Redirect::permanent(api::PATH)))
        .route("/assets/{version}/{*file}", get(asset(assets))))
}

fn page(page: Page) -> impl Fn(HeaderMap) -> std::future::Ready<Response> + Clone {
    move |headers| std::future::ready(page.answer(&headers))
}

fn asset(
    assets: Assets,
) -> impl Fn(Path<(String, String)>, HeaderMap) -> std::future::Ready<Result<Response, Failure>> + Clone
{
    move |Path((version, file)), headers| {
        let answer = assets.answer(&version, &file, &headers);
        std::future::ready(answer.ok_or_else(Failure::no_such_path))
    }
}
