//! The console: the system as operators see it, live.
//!
//! The pages are the same for everybody. What they show comes from the API, and what
//! of it is for operators only asks for their token there.

use serde_json::{Value, json};

use super::{PageOptions, render::Template};

pub(super) const PATH: &str = "/console";
/// The same page for every order: its script reads the id from the address.
const ORDER_PATH: &str = "/console/orders/{orderId}";
const DEAD_LETTERS_PATH: &str = "/console/dead-letters";

pub(super) fn pages(options: &PageOptions) -> [Template; 3] {
    let trace_url = options.trace_url.as_ref().map_or("", |url| url.as_str());
    let values: Value = json!({ "traceUrl": trace_url });
    [
        Template {
            name: "console",
            path: PATH,
            title: "Console",
            description: "The services of Ordermesh, the latest orders and the analytics, live.",
            styles: &[],
            scripts: &[],
            frames: true,
            values: values.clone(),
        },
        Template {
            name: "console-order",
            path: ORDER_PATH,
            title: "Order",
            description: "One order: what each service knows of it, its records and its mails.",
            styles: &[],
            scripts: &[],
            frames: true,
            values: values.clone(),
        },
        Template {
            name: "console-dead-letters",
            path: DEAD_LETTERS_PATH,
            title: "Dead letters",
            description: "Records that services gave up: why, what is in them, and back again.",
            styles: &[],
            scripts: &[],
            frames: true,
            values,
        },
    ]
}
