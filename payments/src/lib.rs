//! Charges orders once and tells how it went.
//!
//! ```text
//! orders.v1 → handler ─┐            ┌→ provider: charge, keyed by the payment's id
//!                      ├→ cashier ──┼→ store: settled
//!     store → sweeper ─┘            └→ payments.v1, then store: published
//! ```
//!
//! Invariant: one charge, one outcome and one event id for each order, whatever
//! crashes, is delivered twice or works on the same order at the same time. It
//! rests on four parts, each of which says what it promises and why:
//!
//! - [`store`]: one row an order; settled once, by the latest lease alone;
//! - [`provider`]: one charge a key;
//! - [`cashier`]: the order of the steps, and what a crash between them leaves;
//! - [`handler`] and [`sweeper`]: whatever is left undone is taken up.

pub mod cashier;
pub mod grpc;
pub mod handler;
pub mod in_hand;
pub mod metrics;
pub mod payment;
pub mod provider;
pub mod publish;
pub mod rounds;
pub mod service;
pub mod store;
pub mod sweeper;

pub use service::{Options, Payments};
