//! The console: the system as operators see it, live.
//!
//! The pages are the same for everybody. What they show comes from the API, and what
//! of it is for operators only asks for their token there.

use serde_json::{Value, json};

use super::{PageOptions, render::Template};

pub(super) const PATH: &str = "/console";
/// The same page for every order: its script reads the id from the address.
pub(super) const ORDER_PATH: &str = "/console/orders/{orderId}";
pub(super) const DEAD_LETTERS_PATH: &str = "/console/dead-letters";

pub(super) fn pages(options: &PageOptions) -> [Template; 3] {
    let trace_url = options.trace_url.as_ref().map_or("", |url| url.as_str());
    let values: Value = json!({ "traceUrl": trace_url });
    [
        Template {
            name: "console",
            path: PATH,
            title: "Console",
            description: "The services of Ordermesh, the latest orders and the analytics, live.",
            styles: &[
                "console.css",
                "overview.css",
                "vendor/uplot-1.6.32/uPlot.min.css",
            ],
            scripts: &["console.js"],
            frames: true,
            values: values.clone(),
        },
        Template {
            name: "console-order",
            path: ORDER_PATH,
            title: "Order",
            description: "One order: what each service knows of it, its records and its mails.",
            styles: &["console.css", "order.css"],
            scripts: &["console-order.js"],
            frames: true,
            values: values.clone(),
        },
        Template {
            name: "console-dead-letters",
            path: DEAD_LETTERS_PATH,
            title: "Dead letters",
            description: "Records that services gave up: why, what is in them, and back again.",
            styles: &["console.css", "dead-letters.css"],
            scripts: &["console-dead-letters.js"],
            frames: true,
            values,
        },
    ]
}
