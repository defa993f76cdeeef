//! Databases for tests.

use std::sync::Arc;

use chassis::db::{Database, PoolSize};
use payments::store::{self, Store};

/// The store over the database of a URL.
pub(crate) async fn open(url: &str) -> anyhow::Result<Arc<dyn Store>> {
    let database = Database::open(&url.parse()?, PoolSize(8), store::migrations()).await?;
    Ok(store::on(database))
}
