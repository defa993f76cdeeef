//! The pure parts of placing an order, for the micro-benchmarks alone.

use std::time::Duration;

use chassis::{config::Setting as _, error::Error, kafka::Outgoing};

use crate::{
    backend, content,
    email::EmailPattern,
    place::{self, Placing},
    rest,
    validate::ValidOrder,
};

/// An order that was read and checked.
#[derive(Debug, Clone)]
pub struct Order(ValidOrder);

/// Reads and checks a body of `POST /order`.
pub fn read(body: &[u8]) -> Result<Order, Error> {
    rest::order(body, None).map(Order)
}

/// Makes records of orders.
#[derive(Debug)]
pub struct Records(Placing);

impl Records {
    /// With a pattern such as `user{userId}@shop.example`; `None` if it is none.
    pub fn new(email: &str) -> Option<Self> {
        Some(Self(Placing {
            email: EmailPattern::parse(email)?,
            lookup: Duration::ZERO,
        }))
    }

    /// The record that goes on Kafka.
    pub fn record(&self, Order(order): Order) -> Outgoing {
        let hash = content::hash(&order);
        let id = place::order_id(&order);
        backend::order_record(&self.0.placed(order, id, hash))
    }
}
