//! What every service needs, and nothing about the business: configuration,
//! telemetry, lifecycle, admin server, gRPC server and client, the error model,
//! the Kafka publisher and consumer loop, and databases.
//!
//! No generated protobuf type appears here; what flows through is bytes, ids and
//! times.

mod admin;
pub mod breaker;
pub mod config;
pub mod db;
pub mod error;
pub mod fault;
pub mod grpc;
pub mod health;
pub mod http;
pub mod kafka;
pub mod page;
pub mod retry;
pub mod service;
pub mod telemetry;

/// The allocator of every binary here, for librdkafka's and SQLite's memory as
/// well. ADR 4 says what it is worth.
pub use mimalloc::MiMalloc as Allocator;
