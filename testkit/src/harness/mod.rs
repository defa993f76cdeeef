//! Test binaries whose tests say what they need of the machine.
//!
//! Invariant: a test that could not run is never reported as passed. Where its
//! needs are not met it is *ignored* with the reason, and with `CI` set it
//! fails with the same reason; a panic or a test that runs over its time is a
//! failure of that test alone.
//!
//! In `Cargo.toml`, the binary does without Rust's own harness:
//!
//! ```toml
//! [[test]]
//! name = "store"
//! harness = false
//! ```
//!
//! and its `main` is the list of its tests:
//!
//! ```no_run
//! use std::process::ExitCode;
//! use testkit::harness::{Needs, Suite};
//! use testkit::kafka::Cluster;
//!
//! fn main() -> ExitCode {
//!     Suite::new()
//!         .test("a_cluster_answers", [Needs::Kafka], a_cluster_answers)
//!         .on_both_databases("an_order_is_stored_once", async |url| {
//!             anyhow::ensure!(!url.is_empty());
//!             Ok(())
//!         })
//!         .run()
//! }
//!
//! async fn a_cluster_answers() -> anyhow::Result<()> {
//!     let cluster = Cluster::shared(1).await?;
//!     anyhow::ensure!(!cluster.bootstrap_servers().is_empty());
//!     Ok(())
//! }
//! ```

mod needs;
mod suite;
mod test;

pub use needs::Needs;
pub use suite::Suite;
pub use test::Test;
