//! gRPC: the server that every service runs, and the client with which the
//! gateway reads from them.

mod call;
mod client;
mod deadline;
mod server;

pub(crate) use call::SECONDS;
pub use client::{ReadError, ServiceChannel, read};
pub use deadline::Deadline;
pub use server::{GrpcRoutes, serve};
