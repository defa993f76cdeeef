//! Counts what happens in the shop, and answers what all of it together says.
//!
//! Invariant: the figures are a function of the set of events that were published
//! and of nothing else: not of when they came, how often, in which batches, or to
//! how many instances at once. It holds because an event's id and what it adds
//! are written in one transaction, which an id passes once (see [`store`]), and
//! because adding is commutative (see [`tally`]).
//!
//! | module | what it does |
//! |---|---|
//! | [`handler`] | decodes records and has them counted |
//! | [`fact`] | what is counted of an event, without anything private |
//! | [`batch`] | facts that are counted in one transaction |
//! | [`tally`] | what a batch adds to every table; pure |
//! | [`store`] | counts, in PostgreSQL or SQLite, and reads figures |
//! | [`calendar`], [`stage`] | buckets of time, and stages of the funnel |
//! | [`retention`], [`forget`] | what may be forgotten, and forgetting it |
//! | [`watch`] | the totals as they change |
//! | [`grpc`] | `ordermesh.analytics.v1.AnalyticsService` |
//! | [`service`] | settings, and how the parts are put together |

pub mod batch;
pub mod calendar;
pub mod fact;
pub mod forget;
pub mod grpc;
pub mod handler;
pub mod retention;
pub mod service;
pub mod stage;
pub mod store;
pub mod tally;
pub mod watch;

pub use service::{Analytics, Options};
