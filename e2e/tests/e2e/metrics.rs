//! What dashboards and alarms ask for exists: a real Prometheus scrapes the running
//! system and answers every one of their queries.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use e2e::{
    footing::{Footing, Kind, SERVICES},
    orders::{example, example_request, example_with, new_user},
};
use serde_json::{Value, json};
use testkit::{
    harness::{Needs, Test},
    prometheus::Prometheus,
    rest::Rest,
    wait::until,
};

use crate::on_cluster;

pub(crate) fn tests() -> Vec<Test> {
    let needs = [Needs::Kafka, Needs::Postgres, Needs::Prometheus];
    vec![
        on_cluster(
            "every query of every dashboard and alarm is answered",
            answered,
        )
        .needs(needs),
    ]
}

/// How long until every series has been scraped often enough.
const SCRAPED: Duration = Duration::from_secs(60);

async fn answered() -> anyhow::Result<()> {
    let footing = Footing::start(Kind::Cluster, &[]).await?;
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("deploy");
    let targets = SERVICES.map(|service| (service, footing.addresses.admin(service)));
    let rules = deploy.join("prometheus/rules.yml");
    let prometheus = Prometheus::launch(&targets, &rules).await?;
    let api = Rest::new(prometheus.address());
    let dashboards = queries_of_dashboards(&deploy.join("grafana/dashboards"))?;
    let alarms = until("Prometheus to have read the rules", SCRAPED, async || {
        let rules = api.get("/api/v1/rules").await?.json();
        let alarms = queries_of_alarms(&rules["data"]["groups"]);
        anyhow::ensure!(!alarms.is_empty(), "{rules}");
        anyhow::Ok(alarms)
    })
    .await?;
    println!("{} queries, {} alarms", dashboards.len(), alarms.len());
    let queries: BTreeSet<String> = dashboards.into_iter().chain(alarms).collect();
    until("an answer to every query", SCRAPED, async || {
        drive(&footing).await?;
        let mut left = String::new();
        for query in &queries {
            if !has_answer(&api, query).await? {
                left = left + "\n" + query;
            }
        }
        anyhow::ensure!(left.is_empty(), "no answer to{left}");
        anyhow::Ok(())
    })
    .await?;
    Ok(())
}

/// A bit of everything that the system does.
async fn drive(footing: &Footing) -> anyhow::Result<()> {
    let rest = &footing.rest;
    let mut last = String::new();
    for _ in 0..20 {
        let placed = rest.post("/order", &example(new_user())).await?.json();
        placed["orderId"]
            .as_str()
            .unwrap_or_default()
            .clone_into(&mut last);
    }
    rest.post(
        "/order",
        &example_with(new_user(), "paymentToken", "tok_declined".into()),
    )
    .await?;
    rest.post("/order", &json!({})).await?;
    rest.get(&format!("/orders/{last}?wait=10s&until=final"))
        .await?;
    let event =
        json!({ "userId": new_user(), "type": "USER_EVENT_TYPE_PRODUCT_VIEWED", "productId": 1 });
    rest.post("/events", &event).await?;
    rest.get("/analytics/stats").await?;
    let mut orders = footing.clients.orders.clone();
    orders.place_order(example_request(new_user())).await?;
    Ok(())
}

/// Every panel's queries, as Grafana would send them.
fn queries_of_dashboards(folder: &Path) -> anyhow::Result<Vec<String>> {
    let mut queries = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path: PathBuf = entry?.path();
        let dashboard: Value = serde_json::from_slice(&fs::read(&path)?)?;
        let panels = dashboard["panels"].as_array().into_iter().flatten();
        let targets = panels.flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
        let of_dashboard: Vec<String> = targets
            .filter_map(|target| target["expr"].as_str())
            .map(|query| query.replace("$__rate_interval", "30s"))
            .collect();
        anyhow::ensure!(!of_dashboard.is_empty(), "{} asks nothing", path.display());
        queries.extend(of_dashboard);
    }
    Ok(queries)
}

/// What alarms compare: a comparison that is not met answers nothing, so it is
/// asked for as 0 or 1.
fn queries_of_alarms(groups: &Value) -> Vec<String> {
    let groups = groups.as_array().into_iter().flatten();
    let rules = groups.flat_map(|group| group["rules"].as_array().into_iter().flatten());
    rules
        .filter_map(|rule| rule["query"].as_str())
        .map(|query| {
            query
                .replace(" > ", " > bool ")
                .replace(" == ", " == bool ")
        })
        .collect()
}

/// Whether some series has a number for an answer.
async fn has_answer(api: &Rest, query: &str) -> anyhow::Result<bool> {
    let answer = api
        .get(&format!("/api/v1/query?query={}", escaped(query)))
        .await?
        .json();
    anyhow::ensure!(answer["status"] == "success", "{query}: {answer}");
    let series = answer["data"]["result"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    Ok(series.iter().any(|series| series["value"][1] != "NaN"))
}

/// For a URL's query (RFC 3986, section 2.1).
fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut url, byte| {
        // Writing to a String cannot fail.
        let _ = write!(url, "%{byte:02X}");
        url
    })
}
