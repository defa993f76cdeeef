//! What every service needs, and nothing about the business: configuration,
//! telemetry, lifecycle, admin server, gRPC server and client, the error model,
//! the Kafka publisher and consumer loop, and databases.
//!
//! No generated protobuf type appears here; what flows through is bytes, ids and
//! times.

mod admin;
pub mod allocator;
pub mod breaker;
pub mod config;
pub mod db;
pub mod error;
pub mod fault;
pub mod grpc;
pub mod health;
pub mod http;
pub mod kafka;
pub mod lock;
pub mod page;
pub mod retry;
pub mod service;
pub mod telemetry;
pub mod window;
