//! Templates in their common frame.

use anyhow::Context as _;
use handlebars::Handlebars;
use serde::Serialize;
use serde_json::{Value, json};

use super::{api, console, grpc, shop};

macro_rules! templates {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../web/pages/", $name, ".hbs")))),*]
    };
}

const TEMPLATES: [(&str, &str); 7] = templates![
    "layout",
    "shop",
    "console",
    "console-order",
    "console-dead-letters",
    "api",
    "grpc",
];

/// What the head of every page leads to.
const PAGES: [(&str, &str); 5] = [
    ("Shop", shop::PATH),
    ("Console", console::PATH),
    ("Dead letters", console::DEAD_LETTERS_PATH),
    ("REST", api::PATH),
    ("gRPC", grpc::PATH),
];

/// A page to be rendered.
#[derive(Debug)]
pub(super) struct Template {
    /// Its file, without the ending.
    pub(super) name: &'static str,
    /// Where it is served; marked in the head.
    pub(super) path: &'static str,
    pub(super) title: &'static str,
    /// One sentence for those who find it by searching.
    pub(super) description: &'static str,
    pub(super) styles: &'static [&'static str],
    pub(super) scripts: &'static [&'static str],
    /// Whether it shows others of our pages within it.
    pub(super) frames: bool,
    /// What it shows, a map.
    pub(super) values: Value,
}

/// Renders pages; a name that a template misspells is an error.
#[derive(Debug)]
pub(super) struct Renderer {
    registry: Handlebars<'static>,
    assets: String,
}

#[derive(Serialize)]
struct Values<'t> {
    assets: &'t str,
    title: &'t str,
    description: &'t str,
    styles: &'t [&'t str],
    scripts: &'t [&'t str],
    pages: Value,
    #[serde(flatten)]
    own: &'t Value,
}

impl Renderer {
    /// With the address of the assets.
    pub(super) fn new(assets: String) -> anyhow::Result<Self> {
        let mut registry = Handlebars::new();
        registry.set_strict_mode(true);
        for (name, template) in TEMPLATES {
            registry
                .register_template_string(name, template)
                .with_context(|| format!("the template {name}"))?;
        }
        Ok(Self { registry, assets })
    }

    /// The page as HTML.
    pub(super) fn page(&self, template: &Template) -> anyhow::Result<String> {
        let pages = PAGES.iter().map(
            |(name, path)| json!({ "name": name, "path": path, "current": *path == head_of(template.path) }),
        );
        let values = Values {
            assets: &self.assets,
            title: template.title,
            description: template.description,
            styles: template.styles,
            scripts: template.scripts,
            pages: pages.collect(),
            own: &template.values,
        };
        self.registry
            .render(template.name, &values)
            .with_context(|| format!("the page {}", template.name))
    }
}

/// Under which entry of the head a page stands.
fn head_of(path: &'static str) -> &'static str {
    if path == console::ORDER_PATH {
        console::PATH
    } else {
        path
    }
}
