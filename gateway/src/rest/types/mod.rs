//! What the REST door says and reads, as types of its own.
//!
//! Protobuf's JSON mapping prints 64-bit integers as texts; here ids and money
//! are JSON numbers, all below 2^53. Names are camelCase, enums go by their
//! protobuf names, times are RFC 3339 in UTC.

#![allow(clippy::struct_field_names, reason = "a name on the wire stands alone")]

mod analytics;
pub(crate) mod names;
mod order;
mod payment;
mod problem;
mod records;
mod request;
mod services;
mod time;

pub(crate) use analytics::{
    Funnel, OrderRate, ProductPairPage, Stats, TopProductPage, UserBehavior,
};
pub(crate) use names::{BucketWidth, ProductRanking};
pub(crate) use order::{Order, OrderAccepted, OrderPage, OrderView};
pub(crate) use payment::{Mail, Notification, NotificationPage, Payment};
pub(crate) use problem::Problem;
pub(crate) use records::{DeadLetters, OrderRecords, Replayed};
#[cfg(test)]
pub(crate) use request::ProductRequest;
pub(crate) use request::{EventAccepted, EventRequest, OrderRequest, event_draft, order_draft};
pub(crate) use services::Services;
pub(crate) use time::{TIME_RULE, Time, parse_time};

use chassis::error::Error;

/// A field that a service has to fill, but did not.
fn filled<T>(value: Option<T>, what: &'static str) -> Result<T, Error> {
    value.ok_or_else(|| Error::internal(format!("a service gave no {what}")))
}

/// Every row of an answer, or the first that cannot be shown.
fn all<Row, Shown: TryFrom<Row>>(rows: Vec<Row>) -> Result<Vec<Shown>, Shown::Error> {
    rows.into_iter().map(Shown::try_from).collect()
}
