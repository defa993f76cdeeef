//! Stores orders and how they stand, and answers for them.
//!
//! Invariant: what history tells of an order is a function of the set of events
//! that were published about it, and of nothing else: not of when they came, how
//! often, in which batches, or to how many instances at once. It holds because
//! the tables only ever grow (see [`store`]) and because a record is settled only
//! after its fact is committed (see [`handler`]).
//!
//! | module | what it does |
//! |---|---|
//! | [`handler`] | decodes records and settles them by the store's verdicts |
//! | [`fact`], [`trace`] | what an event tells, without anything private |
//! | [`store`] | keeps facts, in PostgreSQL or SQLite, and reads orders |
//! | [`grpc`] | `ordermesh.history.v1.HistoryService` |
//! | [`service`] | settings, and how the parts are put together |

pub mod fact;
pub mod grpc;
pub mod handler;
pub mod service;
pub mod store;
pub mod trace;

pub use service::{History, Options};
