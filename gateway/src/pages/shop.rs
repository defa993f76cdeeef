//! The shop: its goods, and where traces are.

use anyhow::Context as _;
use serde_json::{Value, json};

use super::{PageOptions, render::Template};

pub(super) const PATH: &str = "/";

const CATALOGUE: &str = include_str!("../../web/catalogue.json");

pub(super) fn page(options: &PageOptions) -> anyhow::Result<Template> {
    let catalogue: Value = serde_json::from_str(CATALOGUE).context("the catalogue")?;
    let trace_url = options.trace_url.as_ref().map_or("", |url| url.as_str());
    Ok(Template {
        name: "shop",
        path: PATH,
        title: "Shop",
        description: "A small shop in front of Ordermesh: order, and watch what happens.",
        styles: &["shop.css"],
        scripts: &["shop.js"],
        frames: false,
        values: json!({ "catalogue": catalogue, "traceUrl": trace_url }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_in_the_catalogue_can_be_ordered() {
        let catalogue: Value = serde_json::from_str(CATALOGUE).unwrap();
        let order = json!({
            "userId": 1,
            "currencyCode": catalogue["currencyCode"],
            "products": catalogue["products"].as_array().unwrap().iter().map(|product| json!({
                "id": product["id"], "name": product["name"], "price": product["price"],
            })).collect::<Value>(),
        });
        crate::rest::order(order.to_string().as_bytes(), None).unwrap();
        let pictures = include_str!("../../web/assets/goods.svg");
        for product in catalogue["products"].as_array().unwrap() {
            let symbol = format!("id={}", product["picture"]);
            assert!(pictures.contains(&symbol), "{symbol}");
        }
    }
}
