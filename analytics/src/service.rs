//! The service: what it is told, and how it is put together.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use chassis::{
    config::Config,
    db::{DatabaseUrl, PoolSize},
    grpc::GrpcRoutes,
    kafka::{ConsumerOptions, dead_letters::REMEMBERED},
    service::{Context, Service},
};
use proto::event::{NOTIFICATIONS, ORDERS, PAYMENTS, USER_EVENTS};

use crate::{
    forget::{self, Pace},
    grpc::Api,
    handler::Counting,
    retention::Retention,
    store,
    watch::StatsWatch,
};

/// A day; settings that are forgotten by are told in days.
const DAY: Duration = Duration::from_hours(24);

/// Counts what happens, and answers what all of it together says.
#[derive(Debug)]
pub struct Analytics;

/// Settings of [`Analytics`]: the section `ANALYTICS`.
#[derive(Debug)]
pub struct Options {
    /// Where gRPC is served.
    pub grpc_address: SocketAddr,
    /// Where figures are kept.
    pub database: DatabaseUrl,
    /// Connections to it.
    pub pool: PoolSize,
    /// Most records in one transaction.
    pub batch_max: usize,
    /// How long it is remembered what was counted.
    pub retention: Retention,
    /// How that is forgotten.
    pub pace: Pace,
    /// How often watchers learn of changes at most.
    pub watch_interval: Duration,
    /// How many may watch at once.
    pub watchers_max: usize,
}

impl Options {
    /// Reads the section `ANALYTICS`. Mistakes collect in `config`.
    pub fn read(config: &mut Config) -> Self {
        let mut section = config.section(Analytics::SECTION);
        Self {
            grpc_address: section.get("GRPC_ADDRESS", "127.0.0.1:50052", "where gRPC is served"),
            database: section.get(
                "DATABASE_URL",
                "sqlite://data/analytics.db",
                "where figures are kept: postgres:// or sqlite://",
            ),
            pool: PoolSize(section.within(
                "DATABASE_POOL",
                "8",
                1..=200,
                "most connections to the database; all but two may write at once",
            )),
            batch_max: section.within(
                "BATCH_MAX",
                "500",
                1..=5_000,
                "most records in one transaction",
            ),
            retention: Retention {
                inbox: section.within(
                    "INBOX_RETENTION",
                    "45d",
                    // Up to this age, a dead letter's event may be replayed.
                    REMEMBERED..=3_650 * DAY,
                    "how long ids of counted events are known; longer than records can come again",
                ),
                funnel: section.within(
                    "FUNNEL_RETENTION",
                    "45d",
                    DAY..=3_650 * DAY,
                    "how many days back events still count in the funnel",
                ),
            },
            pace: Pace {
                interval: section.within(
                    "PRUNE_INTERVAL",
                    "1m",
                    Duration::from_secs(1)..=DAY,
                    "how often old ids are pruned",
                ),
                chunk: section.within(
                    "PRUNE_CHUNK",
                    "5000",
                    1..=100_000,
                    "most rows of a table that are pruned in one transaction",
                ),
            },
            watch_interval: section.within(
                "WATCH_INTERVAL",
                "250ms",
                Duration::from_millis(10)..=Duration::from_mins(1),
                "how often those who watch the totals learn of changes at most",
            ),
            watchers_max: section.within(
                "WATCHERS_MAX",
                "1000",
                1..=100_000,
                "how many may watch the totals at once",
            ),
        }
    }
}

impl Service for Analytics {
    const NAME: &'static str = "analytics";
    const SECTION: &'static str = "ANALYTICS";
    const ADMIN_ADDRESS: &'static str = "127.0.0.1:9102";

    type Options = Options;

    fn options(config: &mut Config) -> Options {
        Options::read(config)
    }

    async fn start(options: Options, context: &mut Context) -> anyhow::Result<()> {
        let database = context
            .open_database(&options.database, options.pool, store::migrations)
            .await?;
        let store = store::on(database, options.pool);

        let watch = StatsWatch::new(
            Arc::clone(&store),
            options.watchers_max,
            context.doors_closing(),
        );
        let polled = watch
            .clone()
            .poll(options.watch_interval, context.shutdown());
        context.spawn("watching the totals", polled);

        let forgetting = forget::run(
            Arc::clone(&store),
            options.retention,
            options.pace,
            context.meter().clone(),
            context.shutdown(),
        );
        context.spawn("pruning", forgetting);

        let routes = GrpcRoutes::new().with(Api::new(Arc::clone(&store), watch).server());
        context.serve_grpc(options.grpc_address, proto::DESCRIPTORS, routes)?;

        let consumed = ConsumerOptions {
            batch_max: options.batch_max,
            ..ConsumerOptions::new(&[ORDERS, PAYMENTS, NOTIFICATIONS, USER_EVENTS])
        };
        let counting = Counting::new(store, options.retention, context.meter());
        context.consume(consumed, Arc::new(counting))
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
        assert_eq!(options.grpc_address.port(), 50052);
        assert_eq!(options.retention.inbox, Retention::default().inbox);
    }

    #[test]
    fn ids_cannot_be_forgotten_before_the_last_replay() {
        let environment = [("ANALYTICS__INBOX_RETENTION".to_owned(), "44d".to_owned())];
        let mut config = Config::load(None, environment);
        Options::read(&mut config);
        assert!(config.finish().is_err());
    }
}
