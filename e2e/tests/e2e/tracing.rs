//! One order is one trace, across Kafka, through all five services; as the
//! collector gets it, and as Jaeger shows it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use e2e::{
    footing::{Footing, Kind as FootingKind, SERVICES},
    jaeger::Query,
    orders::{example, example_request, example_with, new_user},
    process::start,
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use testkit::{
    harness::{Needs, Test},
    jaeger::Jaeger,
    otlp::{Kind, Span, Status, render},
    process::Scratch,
};
use tokio::sync::OnceCell;

use crate::{on_both, on_cluster};

/// How long spans may take to arrive: they leave in batches, every 5 s.
const ARRIVED: Duration = Duration::from_secs(30);
/// Orders whose records come in batches.
const MANY: usize = 500;

pub(crate) fn tests() -> Vec<Test> {
    let jaeger = |test: Test| test.needs([Needs::Kafka, Needs::Postgres, Needs::Jaeger]);
    let mut tests: Vec<Test> = on_both(
        "one order is one trace with the right parents and kinds",
        one_trace,
    )
    .into();
    tests.extend([
        jaeger(on_cluster(
            "jaeger shows an order over REST whole",
            over_rest,
        )),
        jaeger(on_cluster(
            "jaeger shows an order over gRPC whole",
            over_grpc,
        )),
        jaeger(on_cluster(
            "jaeger shows where an order was declined",
            declined,
        )),
        jaeger(on_cluster("jaeger links a batch to its records", batch)),
    ]);
    tests
}

/// A system that sends its spans to a Jaeger.
struct Shown {
    footing: Footing,
    jaeger: Query,
    _running: Jaeger,
}

impl Shown {
    async fn start() -> anyhow::Result<Self> {
        let running = Jaeger::launch().await?;
        let endpoint = running.endpoint();
        let settings = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str())];
        Ok(Self {
            footing: Footing::start(FootingKind::Cluster, &settings).await?,
            jaeger: Query::new(running.query()),
            _running: running,
        })
    }

    async fn shared() -> anyhow::Result<&'static Self> {
        static SHOWN: OnceCell<Shown> = OnceCell::const_new();
        SHOWN.get_or_try_init(Self::start).await
    }

    /// The whole trace of an order that has just been placed.
    async fn trace(&self, order: &str, trace: &str) -> anyhow::Result<Vec<Span>> {
        let path = format!("/orders/{order}?wait=20s&until=final");
        self.footing.rest.get(&path).await?;
        let is_whole = |spans: &[Span]| has_all(spans, 2);
        let spans = self.jaeger.wait_for_trace(trace, is_whole, ARRIVED).await?;
        println!("{}", render(&spans));
        Ok(spans)
    }
}

/// Whether every service has done its part, with so many mails. What was sent is
/// counted, too: each service's spans leave on their own, so that a record's consumer
/// may be heard of before its producer.
fn has_all(spans: &[Span], mails: usize) -> bool {
    let services: BTreeSet<&str> = spans.iter().map(|span| span.service.as_str()).collect();
    let count = |name: &str| spans.iter().filter(|span| span.name == name).count();
    services.len() == SERVICES.len()
        && count("send orders.v1") == 1
        && count("send payments.v1") == 1
        && count("send notifications.v1") == mails
        && count("process orders.v1") == 4
        && count("process payments.v1") == 3
        && count("process notifications.v1") == mails
}

async fn one_trace(footing: &'static Footing) -> anyhow::Result<()> {
    let order = example(new_user());
    let placed = footing.rest.post("/order", &order).await?.json();
    let id = placed["orderId"].as_str().unwrap_or_default();
    let trace_id = placed["traceId"].as_str().unwrap_or_default();
    let path = format!("/orders/{id}?wait=20s&until=final");
    footing.rest.get(&path).await?;
    let is_whole = |spans: &[Span]| has_all(spans, 2);
    let spans = footing
        .otlp
        .wait_for_trace(trace_id, is_whole, ARRIVED)
        .await?;
    examine(&spans, "POST /order");
    Ok(())
}

async fn over_rest() -> anyhow::Result<()> {
    let shown = Shown::shared().await?;
    let order = example(new_user());
    let placed = shown.footing.rest.post("/order", &order).await?.json();
    let id = placed["orderId"].as_str().unwrap_or_default();
    let trace = placed["traceId"].as_str().unwrap_or_default();
    let spans = shown.trace(id, trace).await?;
    examine(&spans, "POST /order");
    for span in &spans {
        assert_eq!(span.status, Status::Unset, "{} failed", span.name);
    }
    Ok(())
}

async fn over_grpc() -> anyhow::Result<()> {
    let shown = Shown::shared().await?;
    let mut orders = shown.footing.clients.orders.clone();
    let placed = orders.place_order(example_request(new_user())).await?;
    let placed = placed.into_inner();
    let spans = shown.trace(&placed.order_id, &placed.trace_id).await?;
    examine(&spans, "ordermesh.orders.v1.OrderService/PlaceOrder");
    Ok(())
}

async fn declined() -> anyhow::Result<()> {
    let shown = Shown::shared().await?;
    let order = example_with(new_user(), "paymentToken", "tok_declined".into());
    let placed = shown.footing.rest.post("/order", &order).await?.json();
    let id = placed["orderId"].as_str().unwrap_or_default();
    let trace = placed["traceId"].as_str().unwrap_or_default();
    let path = format!("/orders/{id}?wait=20s&until=final");
    shown.footing.rest.get(&path).await?;
    let is_whole = |spans: &[Span]| has_all(spans, 1);
    let spans = shown
        .jaeger
        .wait_for_trace(trace, is_whole, ARRIVED)
        .await?;
    println!("{}", render(&spans));
    let failed: Vec<_> = spans
        .iter()
        .filter(|span| span.status == Status::Error)
        .map(|span| (span.service.as_str(), span.name.as_str()))
        .collect();
    assert_eq!(failed, [("payments", "charge")], "{}", render(&spans));
    Ok(())
}

/// Checks that a trace of an order is one: one root, no orphan, each part under
/// what caused it.
fn examine(spans: &[Span], root: &str) {
    let tree = render(spans);
    let roots: Vec<_> = spans.iter().filter(|span| span.is_root()).collect();
    assert_eq!(roots.len(), 1, "one root\n{tree}");
    assert_eq!(
        (roots[0].name.as_str(), roots[0].kind),
        (root, Kind::Server)
    );
    for span in spans.iter().filter(|span| !span.is_root()) {
        let parent = spans
            .iter()
            .find(|other| other.span_id == span.parent_span_id)
            .unwrap_or_else(|| panic!("{} is an orphan\n{tree}", span.name));
        let (name, under) = (span.name.as_str(), parent.name.as_str());
        let (kind, caused) = match name {
            "process orders.v1" => (Kind::Consumer, under == "send orders.v1"),
            "process payments.v1" => (Kind::Consumer, under == "send payments.v1"),
            "process notifications.v1" => (Kind::Consumer, under == "send notifications.v1"),
            "send orders.v1" => (Kind::Producer, under == root),
            "send payments.v1" => (Kind::Producer, under == "process orders.v1"),
            "send notifications.v1" => (Kind::Producer, under.starts_with("process ")),
            "send mail" => (Kind::Client, under.starts_with("process ")),
            "charge" => (Kind::Client, under == "process orders.v1"),
            "read" | "write" | "transaction" => (Kind::Client, true),
            // Calls of one service to another.
            _ => (span.kind, matches!(span.kind, Kind::Client | Kind::Server)),
        };
        assert!(caused, "{name} is under {under}\n{tree}");
        assert_eq!(span.kind, kind, "{name}");
        for value in span.attributes.values() {
            assert!(!value.contains('@'), "an address in {name}: {value}");
        }
    }
    let of = |name: &str| -> Vec<&str> {
        let named = spans.iter().filter(|span| span.name == name);
        let mut services: Vec<_> = named.map(|span| span.service.as_str()).collect();
        services.sort_unstable();
        services
    };
    assert_eq!(
        of("process orders.v1"),
        ["analytics", "history", "notifier", "payments"]
    );
    assert_eq!(of("send orders.v1"), ["gateway"]);
    assert_eq!(of("send payments.v1"), ["payments"]);
    assert_eq!(of("charge"), ["payments"]);
    assert_eq!(of("send mail"), ["notifier", "notifier"]);
    assert_eq!(of("send notifications.v1"), ["notifier", "notifier"]);
    for service in ["analytics", "history", "notifier", "payments"] {
        // Its own, or a link to that of another order which it was written with.
        let stores = |span: &Span| {
            let is_linked = span.name.starts_with("process ") && !span.links.is_empty();
            span.service == service && (span.attributes.contains_key("db.system.name") || is_linked)
        };
        assert!(
            spans.iter().any(stores),
            "{service} has no database span\n{tree}"
        );
    }
}

/// Records that came while history was down are worked on in batches: each is in
/// its own order's trace, and the batch links to it.
async fn batch() -> anyhow::Result<()> {
    let running = Jaeger::launch().await?;
    let endpoint = running.endpoint();
    let settings = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "100000"),
    ];
    let footing = Footing::prepare(FootingKind::Cluster, &settings).await?;
    let scratch = Scratch::new("batch")?;
    let _gateway = start(&footing, "gateway", &scratch).await?;
    let placed: Vec<String> = stream::iter(0..MANY)
        .map(async |_| {
            let order = example(new_user());
            let placed = footing.rest.post("/order", &order).await?.json();
            anyhow::Ok(placed["traceId"].as_str().unwrap_or_default().to_owned())
        })
        .buffer_unordered(32)
        .try_collect()
        .await?;
    let _history = start(&footing, "history", &scratch).await?;
    let jaeger = Query::new(running.query());
    let (batches, counted) =
        testkit::wait::until("every record to be worked on", ARRIVED, async || {
            let processed = jaeger.find("history", "process orders.v1").await?;
            let worked_on = processed
                .iter()
                .filter(|span| span.name == "process orders.v1")
                .count();
            anyhow::ensure!(worked_on == MANY, "{worked_on} of {MANY}");
            let batches = jaeger.find("history", "batch orders.v1").await?;
            let batches = batches.into_iter();
            let batches: Vec<Span> = batches.filter(|s| s.name == "batch orders.v1").collect();
            let told = |span: &Span| -> Option<usize> {
                let count = span.attribute("messaging.batch.message_count")?;
                count.parse().ok()
            };
            let counted: usize = batches.iter().filter_map(told).sum();
            anyhow::ensure!(counted > MANY / 2, "{counted} in batches");
            Ok((batches, counted))
        })
        .await?;
    let mut times = BTreeMap::<&str, usize>::new();
    for link in batches.iter().flat_map(|batch| &batch.links) {
        *times.entry(&link.trace_id).or_default() += 1;
    }
    // To what it was written with: another batch, or a record that came alone.
    times.retain(|trace, _| batches.iter().all(|batch| batch.trace_id != *trace));
    assert!(
        times
            .keys()
            .all(|trace| placed.iter().any(|of| of == trace)),
        "each link leads into an order's trace"
    );
    assert!(times.len() >= counted, "each record is linked");
    let more_than_once = times.values().filter(|times| **times > 1).count();
    assert!(
        more_than_once <= times.len() - counted,
        "a record is linked once"
    );
    let largest = batches.iter().map(|batch| batch.links.len()).max();
    println!("{} batches, the largest of {largest:?}", batches.len());
    assert!(largest > Some(20));
    Ok(())
}
