//! What operators watch, looked at once for all of them.
//!
//! Invariant: each document is asked for and written out once, however many watch
//! it, and not at all while nobody does. What a watcher is sent next is always the
//! newest: the documents stand in watch channels, so one that does not keep up
//! skips what is over and holds nothing back.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use chassis::{
    error::{Error, Reason},
    grpc::Deadline,
    telemetry::Traced,
};
use futures::{Stream, stream};
use proto::{
    analytics::v1::{
        BucketWidth, GetFunnelRequest, GetOrderRateRequest, ListProductPairsRequest,
        ListTopProductsRequest,
    },
    history::v1::ListOrdersRequest,
    time::UnixMicros,
};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{Operations, SERVICES};
use crate::{
    backend::Backend,
    place::RETRY_AFTER,
    rest::types::{Funnel, OrderPage, OrderRate, ProductPairPage, Services, Stats, TopProductPage},
};

/// How often services are asked how they are.
const SERVICES_EVERY: Duration = Duration::from_secs(1);
/// How often the newest orders are looked at: as good as at once to an eye.
const ORDERS_EVERY: Duration = Duration::from_millis(500);
/// How often the analytics are looked at; they are written about once a second.
const ANALYTICS_EVERY: Duration = Duration::from_secs(2);
/// Newest orders that are shown.
const ORDERS: i32 = 20;
/// Products and pairs that are shown.
const RANKS: i32 = 10;
/// How long a service may take to answer one look.
const LOOK: Duration = Duration::from_secs(1);
/// How long who asks for the services' state waits for it: a round of asking, and
/// the rest of a second before it.
const ANSWER: Duration = Duration::from_secs(4);
/// Streams at once. A company's operators with all their tabs are fewer; they cost
/// next to nothing, as the bench's figure `watchers` shows of 200.
pub(crate) const MOST_STREAMS: usize = 500;
/// Between two signs of life on a quiet stream; see the orders' streams.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// The watched documents. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Feed(Arc<Shared>);

struct Shared {
    backend: Arc<dyn Backend>,
    operations: Arc<dyn Operations>,
    /// How many wait for the services' state: streams, and who asks once.
    askers: watch::Sender<usize>,
    /// How many streams there are.
    streams: watch::Sender<usize>,
    places: Arc<Semaphore>,
    services: watch::Sender<Option<Document>>,
    orders: watch::Sender<Option<Document>>,
    analytics: watch::Sender<Option<Document>>,
    closed: CancellationToken,
}

/// A document, written out as the server-sent event that it is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Document {
    event: Bytes,
    /// Where the JSON begins in it.
    begin: usize,
}

/// Ends an event (HTML, section 9.2.5).
const END: &str = "\n\n";

impl Document {
    fn new(name: &str, data: &impl Serialize) -> Option<Self> {
        let head = format!("event: {name}\ndata: ");
        // One line: JSON writes line breaks within texts as escapes.
        let json = serde_json::to_string(data).ok()?;
        Some(Self {
            begin: head.len(),
            event: [head.as_str(), &json, END].concat().into(),
        })
    }

    /// The JSON alone; the bytes are the same.
    fn json(&self) -> Bytes {
        self.event.slice(self.begin..self.event.len() - END.len())
    }
}

/// Counts somebody who looks, until dropped.
struct Looking(watch::Sender<usize>);

impl Looking {
    fn at(counter: &watch::Sender<usize>) -> Self {
        counter.send_modify(|count| *count += 1);
        Self(counter.clone())
    }
}

impl Drop for Looking {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

impl Feed {
    /// A feed that nobody watches yet.
    pub(crate) fn new(backend: Arc<dyn Backend>, operations: Arc<dyn Operations>) -> Self {
        Self(Arc::new(Shared {
            backend,
            operations,
            askers: watch::Sender::new(0),
            streams: watch::Sender::new(0),
            places: Arc::new(Semaphore::new(MOST_STREAMS)),
            services: watch::Sender::new(None),
            orders: watch::Sender::new(None),
            analytics: watch::Sender::new(None),
            closed: CancellationToken::new(),
        }))
    }

    /// How many streams there are.
    pub(crate) fn streams(&self) -> usize {
        *self.0.streams.borrow()
    }

    /// The services' state, at most a second old.
    pub(crate) async fn services(&self) -> Result<Bytes, Error> {
        let mut services = self.0.services.subscribe();
        let _looking = Looking::at(&self.0.askers);
        let shown = services.wait_for(Option::is_some);
        let shown = tokio::select! {
            shown = tokio::time::timeout(ANSWER, shown) => shown,
            () = self.0.closed.cancelled() => return Err(closing()),
        };
        let late = || {
            Error::new(
                Reason::DeadlineExceeded,
                "the services were not asked in time",
            )
        };
        let shown = shown.map_err(|_| late())?.map_err(Error::internal)?;
        shown.as_ref().map(Document::json).ok_or_else(late)
    }

    /// Everything as server-sent events: what there is at once, then each change.
    pub(crate) fn watch(&self) -> Result<impl Stream<Item = Bytes> + Send + use<>, Error> {
        let place = Arc::clone(&self.0.places)
            .try_acquire_owned()
            .map_err(|_| {
                Error::new(
                    Reason::Overloaded,
                    "too many watch already; close some of them",
                )
                .retry_after(RETRY_AFTER)
            })?;
        let watcher = Watcher::new(&self.0, place);
        Ok(stream::unfold(watcher, async |mut watcher| {
            let event = watcher.next().await?;
            Some((event, watcher))
        }))
    }

    /// Looks until the doors close, and ends every stream.
    pub(crate) async fn run(
        self,
        doors: CancellationToken,
        shutdown: CancellationToken,
    ) -> anyhow::Result<()> {
        let shared = &self.0;
        let looking = async {
            tokio::join!(
                shared.look(&shared.askers, &shared.services, SERVICES_EVERY, || shared
                    .look_at_services()),
                shared.look(&shared.streams, &shared.orders, ORDERS_EVERY, || shared
                    .look_at_orders()),
                shared.look(&shared.streams, &shared.analytics, ANALYTICS_EVERY, || {
                    shared.look_at_analytics()
                }),
            )
        };
        // As with orders: nobody asked for these traces.
        tokio::select! {
            _ = Traced::not_kept().run(looking) => {}
            () = doors.cancelled() => {}
        }
        shared.closed.cancel();
        shutdown.cancelled().await;
        Ok(())
    }
}

impl Shared {
    /// Keeps a document new, as long as somebody looks at it.
    async fn look<Fut>(
        &self,
        lookers: &watch::Sender<usize>,
        shown: &watch::Sender<Option<Document>>,
        every: Duration,
        look: impl Fn() -> Fut,
    ) where
        Fut: Future<Output = Option<Document>>,
    {
        let mut lookers = lookers.subscribe();
        while lookers.wait_for(|count| *count > 0).await.is_ok() {
            let next = Instant::now() + every;
            // What cannot be read now stays as it was last seen.
            if let Some(document) = look().await {
                shown.send_if_modified(|shown| {
                    let is_new = shown.as_ref() != Some(&document);
                    *shown = Some(document);
                    is_new
                });
            }
            tokio::time::sleep_until(next).await;
            if *lookers.borrow() == 0 {
                // Whoever looks next is not shown what is over.
                shown.send_replace(None);
            }
        }
    }

    async fn look_at_services(&self) -> Option<Document> {
        let asked = SERVICES
            .map(|service| async move { (service, self.operations.statuses(service).await) });
        let services = futures::future::join_all(asked).await;
        let state = Services::of(UnixMicros::now(), &services);
        Document::new("services", &state)
    }

    async fn look_at_orders(&self) -> Option<Document> {
        let request = ListOrdersRequest {
            page_size: ORDERS,
            ..ListOrdersRequest::default()
        };
        let listed = self.backend.list_orders(request, Deadline::after(LOOK));
        let page = OrderPage::try_from(listed.await.ok()?).ok()?;
        Document::new("orders", &json!({ "orders": page.orders }))
    }

    async fn look_at_analytics(&self) -> Option<Document> {
        let deadline = Deadline::after(LOOK);
        let rate = GetOrderRateRequest {
            width: BucketWidth::Minute.into(),
            ..GetOrderRateRequest::default()
        };
        let top = ListTopProductsRequest {
            page_size: RANKS,
            ..ListTopProductsRequest::default()
        };
        let pairs = ListProductPairsRequest {
            page_size: RANKS,
            ..ListProductPairsRequest::default()
        };
        let (stats, rate, top, pairs, funnel) = tokio::join!(
            self.backend.stats(deadline),
            self.backend.order_rate(rate, deadline),
            self.backend.top_products(top, deadline),
            self.backend.product_pairs(pairs, deadline),
            self.backend.funnel(GetFunnelRequest::default(), deadline),
        );
        let all = json!({
            "stats": part::<_, Stats>(stats),
            "rate": part::<_, OrderRate>(rate),
            "topProducts": part::<_, TopProductPage>(top),
            "productPairs": part::<_, ProductPairPage>(pairs),
            "funnel": part::<_, Funnel>(funnel),
        });
        Document::new("analytics", &all)
    }
}

/// What a service answered, as its own endpoint shows it; null where it did not.
fn part<Row, Shown>(answer: Result<Row, Error>) -> Value
where
    Shown: TryFrom<Row, Error = Error> + Serialize,
{
    let shown = answer.and_then(Shown::try_from).ok();
    serde_json::to_value(shown).unwrap_or_default()
}

fn closing() -> Error {
    Error::unavailable("the gateway is stopping; watch again")
}

/// One stream's side.
struct Watcher {
    documents: [watch::Receiver<Option<Document>>; 3],
    closed: CancellationToken,
    is_over: bool,
    _looking: [Looking; 2],
    _place: OwnedSemaphorePermit,
}

impl Watcher {
    fn new(shared: &Shared, place: OwnedSemaphorePermit) -> Self {
        let mut documents =
            [&shared.services, &shared.orders, &shared.analytics].map(watch::Sender::subscribe);
        // What is there already is news to this one.
        for document in &mut documents {
            document.mark_changed();
        }
        Self {
            documents,
            closed: shared.closed.clone(),
            is_over: false,
            _looking: [Looking::at(&shared.askers), Looking::at(&shared.streams)],
            _place: place,
        }
    }

    /// The next event; `None` after the last.
    async fn next(&mut self) -> Option<Bytes> {
        if self.is_over {
            return None;
        }
        let heartbeat = Instant::now() + HEARTBEAT;
        loop {
            let [services, orders, analytics] = &mut self.documents;
            let changed = tokio::select! {
                Ok(()) = services.changed() => services,
                Ok(()) = orders.changed() => orders,
                Ok(()) = analytics.changed() => analytics,
                () = tokio::time::sleep_until(heartbeat) => return Some(Bytes::from_static(b":\n\n")),
                () = self.closed.cancelled() => {
                    self.is_over = true;
                    return Document::new("problem", &closing().problem()).map(|it| it.event);
                }
            };
            if let Some(document) = &*changed.borrow_and_update() {
                return Some(document.event.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_one_event_and_its_json_the_same_bytes() {
        let document = Document::new("orders", &json!({ "text": "a\nb\n\nevent: x" })).unwrap();
        let event = std::str::from_utf8(&document.event).unwrap();
        assert_eq!(event.matches('\n').count(), 3, "{event}");
        assert!(event.starts_with("event: orders\ndata: {"), "{event}");
        let json: Value = serde_json::from_slice(&document.json()).unwrap();
        assert_eq!(json["text"], "a\nb\n\nevent: x");
    }
}
