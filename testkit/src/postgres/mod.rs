//! PostgreSQL, as it runs in production, on a free port of 127.0.0.1.
//!
//! Invariant: tests share a server but never a database, so none sees what
//! another wrote. Tests that stop, kill or pause the server launch their own:
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use testkit::postgres::Server;
//!
//! let server = Server::launch().await?;
//! let url = server.fresh_database("history").await?;
//! server.kill().await?;
//! server.start().await?;
//! let orders = server.connect(&url).await?.query("SELECT 1", &[]).await?;
//! # Ok(())
//! # }
//! ```

mod account;
mod dist;
mod server;

pub use dist::{VERSION, install};
pub use server::{Builder, Server};
pub use tokio_postgres::Client;
