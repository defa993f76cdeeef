//! The gRPC door: `ordermesh.orders.v1.OrderService`.

use std::pin::Pin;

use chassis::{error::Error, grpc::Deadline};
use futures::{Stream, StreamExt as _};
use proto::{
    id::OrderId,
    orders::v1::{
        GetOrderRequest, GetOrderResponse, PlaceOrderRequest, PlaceOrderResponse,
        TrackEventRequest, TrackEventResponse, WatchOrderRequest, WatchOrderResponse,
        order_service_server::{OrderService, OrderServiceServer},
    },
    time::UnixMicros,
};
use tonic::{Request, Response, Status};

use crate::{
    core::Core,
    limits::MAX_BODY_BYTES,
    place::Accepted,
    validate::{self, EventDraft, Naming, Violations},
};

/// The service, ready to be added to a server.
pub(crate) fn server(core: Core) -> OrderServiceServer<Api> {
    OrderServiceServer::new(Api(core)).max_decoding_message_size(MAX_BODY_BYTES)
}

/// The door.
#[derive(Clone)]
pub(crate) struct Api(Core);

/// A failure as this door tells it, with the trace under which our logs have
/// the rest.
fn status(error: Error) -> Status {
    match crate::trace_id() {
        trace_id if trace_id.is_empty() => error.into(),
        trace_id => error.with("trace_id", trace_id).into(),
    }
}

fn order_id(text: &str) -> Result<OrderId, Error> {
    text.parse()
        .map_err(|error: proto::id::InvalidId| Error::invalid_field("order_id", error.to_string()))
}

impl Api {
    async fn place(
        &self,
        request: Request<PlaceOrderRequest>,
    ) -> Result<PlaceOrderResponse, Error> {
        let _entered = self.0.gate.enter()?;
        let deadline = Deadline::of_request(&request, self.0.timeouts.place);
        let draft = request.into_inner().into();
        let order = validate::order(draft, Violations::new(Naming::Proto))?;
        Ok(self.0.place(order, deadline).await?.into())
    }

    async fn get(&self, request: Request<GetOrderRequest>) -> Result<GetOrderResponse, Error> {
        let _entered = self.0.gate.enter()?;
        let deadline = Deadline::of_request(&request, self.0.timeouts.read);
        let id = order_id(&request.get_ref().order_id)?;
        let order = Some(self.0.view(id, deadline).await?);
        Ok(GetOrderResponse { order })
    }

    async fn track(
        &self,
        request: Request<TrackEventRequest>,
    ) -> Result<TrackEventResponse, Error> {
        let _entered = self.0.gate.enter()?;
        let deadline = Deadline::of_request(&request, self.0.timeouts.place);
        let mut violations = Violations::new(Naming::Proto);
        let draft = EventDraft::of(request.get_ref(), &mut violations);
        let event = validate::event(&draft, UnixMicros::now(), violations)?;
        let event_id = self.0.track(&event, deadline).await?.to_string();
        Ok(TrackEventResponse { event_id })
    }

    fn watch(&self, request: &Request<WatchOrderRequest>) -> Result<Watching, Error> {
        // Not the gate's: a watch is not work but a place, and the hub bounds
        // those.
        let id = order_id(&request.get_ref().order_id)?;
        let views = self.0.hub.watch(id)?.into_stream().map(|view| match view {
            Ok(view) => Ok(WatchOrderResponse {
                order: Some((*view).clone()),
            }),
            Err(error) => Err(status(error)),
        });
        Ok(Box::pin(views))
    }
}

type Watching = Pin<Box<dyn Stream<Item = Result<WatchOrderResponse, Status>> + Send>>;

impl From<Accepted> for PlaceOrderResponse {
    fn from(accepted: Accepted) -> Self {
        Self {
            order_id: accepted.order_id.to_string(),
            status: accepted.status.into(),
            total: accepted.total,
            currency_code: accepted.currency_code,
            accepted_at: Some(accepted.at.into()),
            trace_id: accepted.trace_id,
        }
    }
}

#[tonic::async_trait]
impl OrderService for Api {
    type WatchOrderStream = Watching;

    async fn place_order(
        &self,
        request: Request<PlaceOrderRequest>,
    ) -> Result<Response<PlaceOrderResponse>, Status> {
        self.place(request).await.map(Response::new).map_err(status)
    }

    async fn get_order(
        &self,
        request: Request<GetOrderRequest>,
    ) -> Result<Response<GetOrderResponse>, Status> {
        self.get(request).await.map(Response::new).map_err(status)
    }

    async fn watch_order(
        &self,
        request: Request<WatchOrderRequest>,
    ) -> Result<Response<Watching>, Status> {
        self.watch(&request).map(Response::new).map_err(status)
    }

    async fn track_event(
        &self,
        request: Request<TrackEventRequest>,
    ) -> Result<Response<TrackEventResponse>, Status> {
        self.track(request).await.map(Response::new).map_err(status)
    }
}
