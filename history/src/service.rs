//! The service: what it is told, and how it is put together.

use std::{net::SocketAddr, sync::Arc};

use chassis::{
    config::Config,
    db::{DatabaseUrl, PoolSize},
    grpc::GrpcRoutes,
    kafka::ConsumerOptions,
    service::{Context, Service},
};
use proto::event::{ORDERS, PAYMENTS};

use crate::{grpc::Api, handler::Recorder, store};

/// Stores orders and how they stand, and answers for them.
#[derive(Debug)]
pub struct History;

/// Settings of [`History`]: the section `HISTORY`.
#[derive(Debug)]
pub struct Options {
    /// Where gRPC is served.
    pub grpc_address: SocketAddr,
    /// Where orders are kept.
    pub database: DatabaseUrl,
    /// Connections to it.
    pub pool: PoolSize,
    /// Most records in one transaction.
    pub batch_max: usize,
}

impl Options {
    /// Reads the section `HISTORY`. Mistakes collect in `config`.
    pub fn read(config: &mut Config) -> Self {
        let mut section = config.section(History::SECTION);
        Self {
            grpc_address: section.get("GRPC_ADDRESS", "127.0.0.1:50054", "where gRPC is served"),
            database: section.get(
                "DATABASE_URL",
                "sqlite://data/history.db",
                "where orders are kept: postgres:// or sqlite://",
            ),
            pool: PoolSize(section.within(
                "DATABASE_POOL",
                "8",
                1..=200,
                "most connections to the database",
            )),
            batch_max: section.within(
                "BATCH_MAX",
                "500",
                1..=5_000,
                "most records in one transaction",
            ),
        }
    }
}

impl Service for History {
    const NAME: &'static str = "history";
    const SECTION: &'static str = "HISTORY";
    const ADMIN_ADDRESS: &'static str = "127.0.0.1:9104";

    type Options = Options;

    fn options(config: &mut Config) -> Options {
        Options::read(config)
    }

    async fn start(options: Options, context: &mut Context) -> anyhow::Result<()> {
        let database = context
            .open_database(&options.database, options.pool, store::migrations)
            .await?;
        let store = store::on(database);
        let routes = GrpcRoutes::new().with(Api::new(Arc::clone(&store)).server());
        context.serve_grpc(options.grpc_address, proto::DESCRIPTORS, routes)?;
        let consumed = ConsumerOptions {
            batch_max: options.batch_max,
            ..ConsumerOptions::new(&[ORDERS, PAYMENTS])
        };
        let recorder = Recorder::new(store, options.batch_max);
        context.consume(consumed, Arc::new(recorder))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_a_working_configuration() {
        let mut config = Config::load(None, []);
        let options = Options::read(&mut config);
        config.finish().unwrap();
        assert_eq!(options.grpc_address.port(), 50054);
        assert!(matches!(options.database, DatabaseUrl::Sqlite(_)));
    }

    #[test]
    fn every_mistake_is_told_at_once() {
        let wrong = [
            ("HISTORY__DATABASE_URL", "mysql://x"),
            ("HISTORY__DATABASE_POOL", "0"),
            ("HISTORY__BATCH_MAX", "many"),
            ("HISTORY__GRPC_ADRESS", "127.0.0.1:1"),
        ];
        let environment = wrong.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let mut config = Config::load(None, environment);
        Options::read(&mut config);
        let chassis::config::ConfigError(mistakes) = config.finish().unwrap_err();
        assert_eq!(mistakes.len(), wrong.len(), "{mistakes:?}");
    }
}
