//! The service: what it is told, and how it is put together.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use chassis::{
    config::{Config, Ratio},
    db::{DatabaseUrl, PoolSize},
    grpc::GrpcRoutes,
    kafka::ConsumerOptions,
    service::{Context, Service},
};
use proto::event::ORDERS;

use crate::{
    cashier::{Cashier, CashierOptions},
    grpc::Api,
    handler::Orders,
    metrics::Metrics,
    provider::mock::{MockOptions, MockProvider},
    publish::OnKafka,
    store,
    sweeper::{Sweeper, SweeperOptions},
};

/// How long one call of the handler may take. Everything it waits for has a bound
/// of its own but its turn at the provider, which comes as late as that is slow;
/// this is for what nobody has thought of.
const HANDLER_TIMEOUT: Duration = Duration::from_secs(600);

/// Charges orders and answers for their payments.
#[derive(Debug)]
pub struct Payments;

/// Settings of [`Payments`]: the section `PAYMENTS`.
#[derive(Debug)]
pub struct Options {
    /// Where gRPC is served.
    pub grpc_address: SocketAddr,
    /// Where payments are kept.
    pub database: DatabaseUrl,
    /// Connections to it.
    pub pool: PoolSize,
    /// Most orders in one transaction.
    pub batch_max: usize,
    /// Batches of one partition at once.
    pub batches_in_flight: usize,
    /// How charges are made.
    pub cashier: CashierOptions,
    /// How what was left behind is taken up.
    pub sweeper: SweeperOptions,
    /// How the simulated provider behaves.
    pub provider: MockOptions,
}

impl Options {
    /// Reads the section `PAYMENTS`. Mistakes collect in `config`.
    pub fn read(config: &mut Config) -> Self {
        const SECOND: Duration = Duration::from_secs(1);
        const DAY: Duration = Duration::from_secs(86_400);
        let mut section = config.section(Payments::SECTION);
        let options = Self {
            grpc_address: section.get("GRPC_ADDRESS", "127.0.0.1:50053", "where gRPC is served"),
            database: section.get(
                "DATABASE_URL",
                "sqlite://data/payments.db",
                "where payments are kept: postgres:// or sqlite://",
            ),
            pool: PoolSize(section.within(
                "DATABASE_POOL",
                "8",
                1..=200,
                "most connections to the database",
            )),
            batch_max: section.within(
                "BATCH_MAX",
                "128",
                1..=1_000,
                "most orders in one transaction",
            ),
            batches_in_flight: section.within(
                "BATCHES_IN_FLIGHT",
                "16",
                1..=1_000,
                "batches of one partition at once, so that a slow charge holds none back",
            ),
            cashier: CashierOptions {
                charges_at_once: section.within(
                    "CHARGES_AT_ONCE",
                    "256",
                    1..=65_536,
                    "most charges at the provider at once",
                ),
                charge_timeout: section.within(
                    "CHARGE_TIMEOUT",
                    "10s",
                    SECOND / 10..=60 * SECOND,
                    "how long one attempt at the provider may take",
                ),
            },
            sweeper: SweeperOptions {
                interval: section.within(
                    "SWEEP_INTERVAL",
                    "5s",
                    SECOND / 10..=DAY,
                    "how often the sweeper looks for payments that nobody works on",
                ),
                lease: section.within(
                    "LEASE",
                    "60s",
                    SECOND..=DAY,
                    "how long the sweeper leaves a payment to whoever began with it",
                ),
                charge_for: section.within(
                    "SWEEP_FOR",
                    "1d",
                    SECOND..=30 * DAY,
                    "how old a pending payment may be that the sweeper still charges",
                ),
            },
            provider: MockOptions {
                latency: section.get("PROVIDER_LATENCY", "0ms", "how long the provider takes"),
                jitter: share(section.get(
                    "PROVIDER_JITTER",
                    "0",
                    "by which share of its latency the provider is faster or slower",
                )),
                failure_rate: share(section.get(
                    "PROVIDER_FAILURE_RATE",
                    "0",
                    "share of attempts that the provider answers with a processing error",
                )),
                journal: section.optional::<PathBuf>(
                    "MOCK_JOURNAL",
                    "a file in which the simulated provider keeps its charges, one a line",
                ),
            },
        };
        // A lease that runs out during an attempt makes the sweeper repeat what a
        // handler is still busy with.
        if options.sweeper.lease <= options.cashier.charge_timeout {
            section.mistake("LEASE", "must be longer than CHARGE_TIMEOUT");
        }
        let slowest = options
            .provider
            .latency
            .mul_f64(1.0 + options.provider.jitter);
        if slowest >= options.cashier.charge_timeout {
            section.mistake(
                "PROVIDER_LATENCY",
                "with its jitter must be below CHARGE_TIMEOUT",
            );
        }
        options
    }
}

fn share(Ratio(share): Ratio) -> f64 {
    share
}

impl Service for Payments {
    const NAME: &'static str = "payments";
    const SECTION: &'static str = "PAYMENTS";
    const ADMIN_ADDRESS: &'static str = "127.0.0.1:9103";

    type Options = Options;

    fn options(config: &mut Config) -> Options {
        Options::read(config)
    }

    async fn start(options: Options, context: &mut Context) -> anyhow::Result<()> {
        let provider = Arc::new(MockProvider::new(options.provider)?);
        let publisher = Arc::new(OnKafka(context.publisher()?));
        let metrics = Arc::new(Metrics::new(context.meter()));
        let database = context
            .open_database(&options.database, options.pool, store::migrations)
            .await?;
        let store = store::gathered(store::on(database), options.batch_max);

        let routes = GrpcRoutes::new().with(Api::new(Arc::clone(&store)).server());
        context.serve_grpc(options.grpc_address, proto::DESCRIPTORS, routes)?;

        let cashier = Arc::new(Cashier::new(
            Arc::clone(&store),
            provider,
            publisher,
            Arc::clone(&metrics),
            options.cashier,
        ));
        let sweeper = Sweeper::new(
            Arc::clone(&store),
            Arc::clone(&cashier),
            metrics,
            options.sweeper,
        );
        let stop = context.shutdown();
        context.spawn("sweeper", async move {
            sweeper.run(stop).await;
            Ok(())
        });

        let closing = context.doors_closing();
        let orders = Orders::new(store, cashier, options.sweeper.lease, closing);
        let consumed = ConsumerOptions {
            batch_max: options.batch_max,
            batches_in_flight: options.batches_in_flight,
            timeout: HANDLER_TIMEOUT,
            ..ConsumerOptions::new(&[ORDERS])
        };
        context.consume(consumed, Arc::new(orders))
    }
}

#[cfg(test)]
mod tests {
    use chassis::config::ConfigError;

    use super::*;

    fn read(set: &[(&str, &str)]) -> Result<Options, ConfigError> {
        let environment = set
            .iter()
            .map(|(key, value)| (format!("PAYMENTS__{key}"), (*value).to_owned()));
        let mut config = Config::load(None, environment);
        let options = Options::read(&mut config);
        config.finish().map(|()| options)
    }

    fn mistakes(set: &[(&str, &str)]) -> Vec<String> {
        let ConfigError(mistakes) = read(set).unwrap_err();
        mistakes.into_iter().map(|mistake| mistake.key).collect()
    }

    #[test]
    fn defaults_are_a_working_configuration() {
        let options = read(&[]).unwrap();
        assert_eq!(options.grpc_address.port(), 50053);
        assert!(matches!(options.database, DatabaseUrl::Sqlite(_)));
        assert!(options.provider.latency.is_zero());
        assert!(options.provider.journal.is_none());
    }

    #[test]
    fn every_mistake_is_told_at_once() {
        let wrong = [
            ("DATABASE_URL", "mysql://x"),
            ("CHARGES_AT_ONCE", "0"),
            ("BATCH_MAX", "many"),
            ("PROVIDER_FAILURE_RATE", "2"),
            ("MOCK_JOURNALL", "charges"),
        ];
        assert_eq!(mistakes(&wrong).len(), wrong.len());
    }

    #[test]
    fn times_that_contradict_each_other_are_mistakes() {
        assert_eq!(mistakes(&[("LEASE", "5s")]), ["PAYMENTS__LEASE"]);
        let slow = [("PROVIDER_LATENCY", "6s"), ("PROVIDER_JITTER", "0.7")];
        assert_eq!(mistakes(&slow), ["PAYMENTS__PROVIDER_LATENCY"]);
    }
}
