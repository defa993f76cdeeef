//! Ordermesh's protobuf schemas, with the generated code and the types that
//! make a decoded message trustworthy.
//!
//! Invariant: a value of [`event`], [`id`] or [`money`] is valid. Messages come
//! off the wire in any shape; code behind the edge works on these types, so
//! that a check is made once and in one place.

pub mod event;
pub mod id;
#[cfg(feature = "json")]
pub mod json;
pub mod limits;
pub mod money;
pub mod private;
mod redact;
pub mod time;

/// Code that prost and tonic generate from the `.proto` files; documented there.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/ordermesh.rs"));
}

pub use generated::ordermesh::{analytics, events, history, notifier, orders, payments};

/// A serialized `google.protobuf.FileDescriptorSet` of every schema, with
/// comments: what gRPC reflection serves.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
