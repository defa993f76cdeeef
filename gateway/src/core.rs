//! What both doors work with.

use std::{ops::Deref, sync::Arc, time::Duration};

use chassis::{error::Error, grpc::Deadline};
use proto::{
    event::TrackedEvent,
    id::{OrderId, UserEventId},
    orders::v1::OrderView,
};

use crate::{
    backend::Backend,
    gate::Gate,
    intake::Intake,
    ops::{Access, Feed, Operations},
    place::{Accepted, Placing},
    track,
    validate::ValidOrder,
    view,
    watch::Hub,
};

/// The gateway without its doors. Cheap to clone: each request does, more than once.
#[derive(Clone)]
pub(crate) struct Core(Arc<Parts>);

impl Deref for Core {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// What the gateway is made of.
pub(crate) struct Parts {
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) gate: Gate,
    pub(crate) hub: Hub,
    pub(crate) operations: Arc<dyn Operations>,
    pub(crate) feed: Feed,
    pub(crate) access: Access,
    pub(crate) intake: Intake,
    pub(crate) placing: Placing,
    pub(crate) timeouts: Timeouts,
}

/// How long requests may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeouts {
    /// What is put on Kafka.
    pub(crate) place: Duration,
    /// What is read from the services.
    pub(crate) read: Duration,
}

impl Core {
    pub(crate) fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    pub(crate) async fn place(
        &self,
        order: ValidOrder,
        deadline: Deadline,
    ) -> Result<Accepted, Error> {
        let accepted = self.placing.place(&*self.backend, order, deadline).await?;
        self.intake.accepted();
        Ok(accepted)
    }

    pub(crate) async fn track(
        &self,
        event: &TrackedEvent,
        deadline: Deadline,
    ) -> Result<UserEventId, Error> {
        track::track(&*self.backend, event, deadline).await
    }

    pub(crate) async fn view(&self, id: OrderId, deadline: Deadline) -> Result<OrderView, Error> {
        view::read(&*self.backend, id, deadline).await
    }
}
