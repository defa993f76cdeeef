//! The consumer loop.
//!
//! ```text
//! librdkafka: a bounded queue a partition; full: it fetches no more for that one
//!   → partition worker: takes what is there, up to batch_max; never waits for more
//!   → owned records → span → metrics → dead letter → retry → timeout → decode → handler
//!   → ledger: only the contiguous finished offset is reported
//! poll thread (its own OS thread; polling never stops): rebalances, errors, and
//!   storing what the workers report
//! ```
//!
//! Partitions are not paused when their worker is behind: librdkafka throws away
//! what it fetched ahead for a partition that is paused, and fetches it again.
//!
//! Invariants:
//!
//! - An offset is stored only when every record before it is settled: its effect
//!   is committed, or its dead letter is acknowledged. So a crash anywhere leads
//!   to records being read again, never to one being missed.
//! - A dependency that is away pauses the partition for as long as it takes, and
//!   never makes a dead letter.
//! - After a partition is lost, results of its workers move no offset. What such a
//!   worker still commits to its database is harmless, because each effect
//!   carries its event's id.

mod away;
mod context;
mod figures;
mod handler;
mod intake;
mod ledger;
mod pipeline;
mod plan;
mod poll;
mod progress;
mod source;
mod start;
mod topics;
mod worker;

pub use handler::{Delivery, Handler, HandlerError, Poison, PoisonClass, Settlement};
#[doc(hidden)]
pub use ledger::Ledger;
pub use start::ConsumerOptions;
pub(crate) use start::start;
