//! The innermost layer: records to events, and the handler's call.

use std::{
    future::{Ready, ready},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    task::{Context, Poll},
};

use futures::{FutureExt as _, future::BoxFuture, future::Either};
use tower::Service;

use super::Batch;
use crate::{
    fault::{self, Point},
    kafka::consumer::handler::{Delivery, Handler, HandlerError, Poison, PoisonClass, Settlement},
};

pub(super) struct Decode<H>(Arc<H>);

impl<H> Decode<H> {
    pub(super) fn new(handler: Arc<H>) -> Self {
        Self(handler)
    }
}

impl<H> Clone for Decode<H> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

type Settlements = Result<Vec<Settlement>, HandlerError>;

impl<H: Handler> Service<Batch> for Decode<H> {
    type Response = Vec<Settlement>;
    type Error = HandlerError;
    type Future = Either<Ready<Settlements>, BoxFuture<'static, Settlements>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), HandlerError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, batch: Batch) -> Self::Future {
        let mut deliveries = Vec::with_capacity(batch.items.len());
        // `None` stands for a record that went to the handler.
        let mut settlements: Vec<Option<Settlement>> = Vec::with_capacity(batch.items.len());
        for item in batch.items {
            // A record that makes this or the handler panic must not take the service
            // with it, over and over: it is found and put aside like any other.
            let decoded = catch_unwind(AssertUnwindSafe(|| self.0.decode(&item.record)))
                .unwrap_or_else(|_| {
                    Err(Poison::new(
                        PoisonClass::Undecodable,
                        "decoding it panicked",
                    ))
                });
            match decoded {
                Ok(event) => {
                    deliveries.push(Delivery::new(event, item.record, item.traced));
                    settlements.push(None);
                }
                Err(poison) => settlements.push(Some(Settlement::Poison(poison))),
            }
        }
        if deliveries.is_empty() {
            return Either::Left(ready(Ok(settlements.into_iter().flatten().collect())));
        }
        let handler = Arc::clone(&self.0);
        Either::Right(Box::pin(async move {
            fault::point(Point::BeforeHandler);
            let handled = AssertUnwindSafe(handler.handle(&deliveries))
                .catch_unwind()
                .await;
            let mut handled = match handled {
                Ok(handled) => handled?,
                Err(_) => return Err(HandlerError::failed("the handler panicked")),
            };
            fault::point(Point::AfterHandler);
            if handled.len() != deliveries.len() {
                let problem = format!(
                    "the handler settled {} of {} records",
                    handled.len(),
                    deliveries.len()
                );
                return Err(HandlerError::failed(problem));
            }
            let mut handled = handled.drain(..);
            Ok(settlements
                .into_iter()
                .filter_map(|settlement| settlement.or_else(|| handled.next()))
                .collect())
        }))
    }
}
