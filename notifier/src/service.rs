//! Settings, and how the parts are put together.

use std::{net::SocketAddr, ops::RangeInclusive, sync::Arc, time::Duration};

use chassis::{
    config::{Config, Section},
    db::{DatabaseUrl, PoolSize},
    grpc::GrpcRoutes,
    kafka::ConsumerOptions,
    service::{Context, Service},
};
use lettre::message::Mailbox;
use proto::{
    event::{ORDERS, PAYMENTS},
    notifier::v1::notifier_service_server::NotifierServiceServer,
};
use tokio::sync::Notify;

use crate::{
    compose::{Composer, MailPer},
    grpc::Api,
    handler::Merging,
    mailer::{Keep, Mailer, Measured, Smtp, SmtpOptions},
    outbox::{Outbox, OutboxOptions, Schedule},
    store,
};

/// How long a round of the outbox may keep its mails to itself, in times of what a
/// send may take: one to begin sends, one for the last to end, one to record them.
/// Who takes over from a process that died waits as long.
const LEASE: u32 = 3;

/// A dead process's mails should not wait for minutes.
const SEND_TIMEOUTS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(60);

/// Rounds of the outbox at once: one sends while the other asks the database.
const ROUNDS: usize = 2;

/// The notifier service.
#[derive(Debug)]
pub struct Notifier;

/// Its settings: the section `NOTIFIER`.
#[derive(Debug)]
pub struct Options {
    grpc_address: SocketAddr,
    database_url: DatabaseUrl,
    database_pool: PoolSize,
    batch_max: usize,
    smtp: Option<SmtpOptions>,
    mail_per: MailPer,
    message_id_domain: String,
    /// Of the outbox, at once.
    rounds: usize,
    outbox: OutboxOptions,
}

impl Service for Notifier {
    const NAME: &'static str = "notifier";
    const SECTION: &'static str = "NOTIFIER";
    const ADMIN_ADDRESS: &'static str = "127.0.0.1:9105";
    type Options = Options;

    fn options(config: &mut Config) -> Options {
        let mut section = config.section(Self::SECTION);
        let server = section.optional(
            "SMTP_URL",
            "the mail server, such as smtp://host:587?tls=required; without it mails are kept \
             and can be read through the API",
        );
        let from: String = section.get(
            "FROM",
            "Ordermesh <orders@ordermesh.example>",
            "who mails are from",
        );
        let from = from.parse::<Mailbox>().map_err(|_| {
            section.mistake(
                "FROM",
                "must be an address such as Shop <orders@shop.example>",
            );
        });
        let send_timeout = section.within(
            "SEND_TIMEOUT",
            "10s",
            SEND_TIMEOUTS,
            "how long sending one mail may take",
        );
        let sends_at_once =
            section.within("SENDS_AT_ONCE", "64", 1..=1_000_usize, "mails sent at once");
        let rounds = ROUNDS.min(sends_at_once);
        let smtp = server.zip(from.ok()).map(|(server, from)| SmtpOptions {
            server,
            from,
            timeout: send_timeout,
            // One for each mail that is being sent.
            connections: sends_at_once,
        });
        Options {
            grpc_address: section.get("GRPC_ADDRESS", "127.0.0.1:50055", "where gRPC is served"),
            database_url: section.get(
                "DATABASE_URL",
                "sqlite://data/notifier.db",
                "the service's own database, postgres://… or sqlite://…",
            ),
            database_pool: PoolSize(section.within(
                "DATABASE_POOL",
                "8",
                1..=100,
                "connections to the database",
            )),
            batch_max: section.within(
                "BATCH_MAX",
                "100",
                1..=5_000,
                "most records in one transaction",
            ),
            smtp,
            mail_per: section.get(
                "MAIL_PER",
                "line",
                "confirmations: one for each line of the order, or one for the order",
            ),
            message_id_domain: message_id_domain(&mut section),
            rounds,
            outbox: OutboxOptions {
                sends_at_once: sends_at_once / rounds,
                send_timeout,
                lease: send_timeout * LEASE,
                schedule: Schedule {
                    first: section.get("RETRY_FIRST", "1s", "pause after a first failed attempt"),
                    longest: section.get("RETRY_LONGEST", "5m", "longest pause between attempts"),
                    give_up: section.get(
                        "GIVE_UP",
                        "3d",
                        "age at which a mail that the server keeps putting off is given up",
                    ),
                },
            },
        }
    }

    async fn start(options: Options, context: &mut Context) -> anyhow::Result<()> {
        let composer = Composer::new(options.mail_per, options.message_id_domain)?;
        let database = context
            .open_database(
                &options.database_url,
                options.database_pool,
                store::migrations,
            )
            .await?;
        let store = store::store_of(database, Arc::new(composer));
        let api = NotifierServiceServer::new(Api::new(Arc::clone(&store)));
        context.serve_grpc(
            options.grpc_address,
            proto::DESCRIPTORS,
            GrpcRoutes::new().with(api),
        )?;

        let mailer: Arc<dyn Mailer> = match options.smtp {
            Some(smtp) => Arc::new(Smtp::new(smtp)?),
            None => Arc::new(Keep),
        };
        let mailer = Arc::new(Measured::new(mailer, context.meter()));
        let wake = Arc::new(Notify::new());
        let publisher = Arc::new(context.publisher()?);
        let outbox = Arc::new(Outbox::new(
            Arc::clone(&store),
            mailer,
            publisher,
            options.outbox,
            Arc::clone(&wake),
            context.shutdown(),
            context.readiness("smtp"),
        ));
        for _ in 0..options.rounds {
            let outbox = Arc::clone(&outbox);
            context.spawn("outbox", async move {
                outbox.run().await;
                Ok(())
            });
        }
        let consumer = ConsumerOptions {
            batch_max: options.batch_max,
            ..ConsumerOptions::new(&[ORDERS, PAYMENTS])
        };
        let merging = Merging::new(store, wake, options.batch_max);
        context.consume(consumer, Arc::new(merging))
    }
}

/// A dot-atom of RFC 5322, section 3.2.3, as far as host names go.
fn message_id_domain(section: &mut Section<'_>) -> String {
    let domain: String = section.get(
        "MESSAGE_ID_DOMAIN",
        "ordermesh.example",
        "what stands behind the @ of every Message-ID",
    );
    let is_label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    if domain.len() > 253 || !domain.split('.').all(is_label) {
        section.mistake(
            "MESSAGE_ID_DOMAIN",
            "must be a host name such as shop.example",
        );
    }
    domain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(pairs: &[(&str, &str)]) -> (Options, Result<(), chassis::config::ConfigError>) {
        let environment = pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        let mut config = Config::load(None, environment);
        let options = Notifier::options(&mut config);
        (options, config.finish())
    }

    #[test]
    fn without_a_mail_server_mails_are_kept() {
        let (options, result) = options(&[]);
        result.unwrap();
        assert!(options.smtp.is_none());
        assert_eq!(options.rounds * options.outbox.sends_at_once, 64);
        assert_eq!(options.outbox.send_timeout, Duration::from_secs(10));
    }

    #[test]
    fn one_mail_at_once_is_one() {
        let (options, result) = options(&[("NOTIFIER__SENDS_AT_ONCE", "1")]);
        result.unwrap();
        assert_eq!((options.rounds, options.outbox.sends_at_once), (1, 1));
    }

    #[test]
    fn every_mistake_is_told_and_no_password() {
        let (_, result) = options(&[
            ("NOTIFIER__SMTP_URL", "imap://me:hunter2@mail"),
            ("NOTIFIER__MAIL_PER", "product"),
            ("NOTIFIER__SENDS_AT_ONCE", "0"),
            ("NOTIFIER__SEND_TIMEOUT", "61s"),
            ("NOTIFIER__MESSAGE_ID_DOMAIN", "shop.example>\r\nBcc: all"),
        ]);
        let error = result.unwrap_err();
        assert_eq!(error.0.len(), 5, "{error}");
        assert!(!error.to_string().contains("hunter2"));
        let (_, result) = options(&[("NOTIFIER__FROM", "nobody")]);
        assert_eq!(result.unwrap_err().0.len(), 1);
    }
}
