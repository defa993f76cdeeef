//! What every service needs, and nothing about the business: configuration,
//! telemetry, lifecycle, admin server, gRPC server and client, the error model,
//! the Kafka publisher and consumer loop, and databases.
//!
//! No generated protobuf type appears here; what flows through is bytes, ids and
//! times.

pub mod config;
pub mod db;
pub mod error;
pub mod page;
