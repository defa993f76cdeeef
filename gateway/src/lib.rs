//! The door: gRPC and REST in, order events out.
//!
//! Both doors are thin. A request becomes a draft, the draft is checked by the
//! one validator (`validate`), and what is valid is placed (`place`),
//! tracked (`track`), read (`view`) or watched (`watch`). The gateway keeps
//! no state: whatever has to be remembered is on Kafka or in a service's
//! database, so any number of gateways can stand side by side.

mod backend;
mod content;
mod core;
mod email;
mod gate;
mod grpc;
#[doc(hidden)]
pub mod hot;
mod intake;
mod limits;
mod ops;
mod options;
mod pages;
mod place;
mod rest;
mod service;
mod track;
mod validate;
mod view;
mod watch;

pub use options::Options;
pub use service::Gateway;

/// The trace of the request that is being worked on, as 32 hex digits; empty
/// when nothing traces.
fn trace_id() -> String {
    chassis::telemetry::span::current_trace_id().unwrap_or_default()
}

#[cfg(test)]
mod tests;
