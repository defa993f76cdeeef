//! Apache Kafka, as it runs in production, on free ports of 127.0.0.1.
//!
//! Invariant: a cluster that was handed out serves. Every broker has logged its
//! start and lists all others in its metadata, so a test's first request needs
//! no retry for the cluster's sake.
//!
//! Tests share a cluster and own their topics; tests that stop, kill or pause
//! brokers launch a cluster of their own:
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use testkit::kafka::Cluster;
//!
//! let cluster = Cluster::launch(3).await?;
//! cluster.broker(2).kill().await?;
//! cluster.broker(2).start().await?;
//! # Ok(())
//! # }
//! ```

mod archive;
mod broker;
mod cluster;
mod config;
mod dist;
mod jvm;
mod metadata;

pub use broker::Broker;
pub use cluster::{Builder, Cluster};
pub use dist::{VERSION, install};
pub use jvm::Jit;
