//! The whole system, on what it can stand on.
//!
//! The embedded footing is what `make embedded` runs: an in-process broker and SQLite.
//! The cluster footing is what production runs: three Apache Kafka brokers and
//! PostgreSQL. Mails go to a real SMTP sink and spans to a real collector on
//! both.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use chassis::kafka::{KafkaOptions, ensure_topics};
use ordermesh::{Mesh, UpOptions};
use testkit::{kafka, otlp, postgres, rest::Rest, smtp};
use tokio::sync::OnceCell;

pub use testkit::services::{Addresses, SERVICES, STORING};

use crate::clients::Clients;

/// How long a whole system may take to be ready.
const READY: Duration = Duration::from_secs(60);
/// Partitions of a topic on the cluster: more than services, few enough for a
/// small machine.
const PARTITIONS: i32 = 6;

/// What operators send to every system.
pub const OPERATOR_TOKEN: &str = "operator-of-tests";

/// What the system stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The embedded broker and SQLite.
    Embedded,
    /// Three Kafka brokers and PostgreSQL.
    Cluster,
}

/// Brokers and databases of a cluster.
#[derive(Debug, Clone)]
pub struct Grounds {
    /// `host:port` of the brokers.
    pub brokers: String,
    /// Each service's own database.
    pub databases: BTreeMap<&'static str, String>,
}

impl Grounds {
    /// Those that all tests share, with databases of one's own.
    async fn shared() -> anyhow::Result<Self> {
        let kafka = kafka::Cluster::shared(3).await?;
        let postgres = postgres::Server::shared().await?;
        let mut databases = BTreeMap::new();
        for service in STORING {
            databases.insert(service, postgres.fresh_database(service).await?);
        }
        Ok(Self {
            brokers: kafka.bootstrap_servers(),
            databases,
        })
    }
}

/// A running system with its sinks.
#[derive(Debug)]
pub struct Footing {
    /// What it stands on.
    pub kind: Kind,
    /// Where it listens.
    pub addresses: Addresses,
    /// Its REST door.
    pub rest: Rest,
    /// Its gRPC doors.
    pub clients: Clients,
    /// Where its mails arrive.
    pub smtp: smtp::Sink,
    /// Where its spans arrive.
    pub otlp: otlp::Sink,
    /// The settings it was started with; more can be started with the same.
    pub environment: Vec<(String, String)>,
    embedded_broker: Option<String>,
    // Behind a lock only because a running system cannot be shared otherwise.
    mesh: Mutex<Option<Mesh>>,
    data: tempfile::TempDir,
}

impl Footing {
    /// The system that all tests share that need none of their own.
    pub async fn shared(kind: Kind) -> anyhow::Result<&'static Self> {
        static EMBEDDED: OnceCell<Footing> = OnceCell::const_new();
        static CLUSTER: OnceCell<Footing> = OnceCell::const_new();
        let cell = match kind {
            Kind::Embedded => &EMBEDDED,
            Kind::Cluster => &CLUSTER,
        };
        cell.get_or_try_init(|| Self::start(kind, &[])).await
    }

    /// A system of one's own, with more settings.
    pub async fn start(kind: Kind, settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let mut footing = Self::prepare(kind, settings).await?;
        footing.up().await?;
        Ok(footing)
    }

    /// Everything around the system, and its settings, but not the system.
    pub async fn prepare(kind: Kind, settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let grounds = match kind {
            Kind::Embedded => None,
            Kind::Cluster => Some(Grounds::shared().await?),
        };
        Self::around(grounds, settings).await
    }

    /// The same, on brokers and databases of one's own.
    pub async fn on(grounds: Grounds, settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        Self::around(Some(grounds), settings).await
    }

    async fn around(grounds: Option<Grounds>, settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let kind = match grounds {
            None => Kind::Embedded,
            Some(_) => Kind::Cluster,
        };
        let addresses = Addresses::free()?;
        let smtp = smtp::Sink::start().await?;
        let otlp = otlp::Sink::start().await?;
        let mut environment = addresses.environment();
        let mut set = |key: &str, value: String| environment.push((key.to_owned(), value));
        set("NOTIFIER__SMTP_URL", smtp.url());
        set("OTEL_EXPORTER_OTLP_ENDPOINT", otlp.endpoint());
        set("OTEL_TRACES_SAMPLER", "always_on".to_owned());
        // What a test needs to see fails the test; the rest is noise.
        set(
            "TELEMETRY__LOG",
            std::env::var("TEST_LOG").unwrap_or_else(|_| "error".to_owned()),
        );
        set("TELEMETRY__LOG_FORMAT", "text".to_owned());
        set("GATEWAY__OPERATOR_TOKEN", OPERATOR_TOKEN.to_owned());
        // By default the gateway asks history for 20 ms and goes on without it; a
        // machine that runs all tests at once may need longer to answer.
        set("GATEWAY__IDEMPOTENCY_LOOKUP_TIMEOUT", "1s".to_owned());
        if let Some(grounds) = grounds {
            let prefix = format!("t{}.", uuid::Uuid::now_v7().simple());
            set("KAFKA__BROKERS", grounds.brokers);
            set("KAFKA__TOPIC_PREFIX", prefix);
            for (service, url) in grounds.databases {
                let key = format!("{}__DATABASE_URL", service.to_ascii_uppercase());
                set(&key, url);
            }
        }
        for (key, value) in settings {
            set(key, (*value).to_owned());
        }
        // What is set to nothing is not set.
        for (key, _) in settings.iter().filter(|(_, value)| value.is_empty()) {
            environment.retain(|(of, _)| of != key);
        }
        let footing = Self {
            kind,
            rest: Rest::new(addresses.rest()),
            clients: Clients::new(&addresses)?,
            addresses,
            smtp,
            otlp,
            environment,
            embedded_broker: None,
            mesh: Mutex::new(None),
            data: tempfile::tempdir()?,
        };
        if kind == Kind::Cluster {
            ensure_topics(&footing.kafka()?, &ordermesh::topic_specs(PARTITIONS, 3)).await?;
        }
        Ok(footing)
    }

    /// The Kafka settings of this system; on the cluster only.
    pub fn kafka(&self) -> anyhow::Result<KafkaOptions> {
        let mut config = chassis::config::Config::load(None, self.environment.clone());
        let options = KafkaOptions::read(&mut config);
        config.finish()?;
        Ok(options)
    }

    /// One of the settings.
    pub fn setting(&self, key: &str) -> Option<&str> {
        self.environment
            .iter()
            .rev()
            .find(|(of, _)| of == key)
            .map(|(_, value)| value.as_str())
    }

    /// Starts the services in this process and waits until they are ready.
    pub async fn up(&mut self) -> anyhow::Result<()> {
        // In one process the gateway finds its neighbours by itself.
        let mut environment = self.environment.clone();
        environment.retain(|(key, _)| !key.ends_with("_ADDRESSES"));
        let options = UpOptions {
            data: self.data.path().to_owned(),
            config: None,
            environment,
        };
        let mesh = tokio::task::spawn_blocking(move || {
            let mesh = Mesh::start(&options)?;
            let ready = mesh.wait_until_ready(READY);
            ready.map_err(|missing| anyhow::anyhow!("not ready: {}", missing.join("; ")))?;
            anyhow::Ok(mesh)
        });
        let mesh = mesh.await.context("the system panicked")??;
        self.embedded_broker = mesh.embedded_broker();
        self.mesh = Mutex::new(Some(mesh));
        Ok(())
    }

    /// Stops the services, in order.
    pub async fn down(&mut self) -> anyhow::Result<()> {
        let mesh = self
            .mesh
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(mesh) = mesh {
            tokio::task::spawn_blocking(move || mesh.drain()).await??;
        }
        Ok(())
    }

    /// Asks a service's database directly; on the cluster only.
    pub async fn count(&self, service: &str, sql: &str) -> anyhow::Result<i64> {
        let key = format!("{}__DATABASE_URL", service.to_ascii_uppercase());
        let url = self.setting(&key).context("no database of its own")?;
        let database = url.rsplit('/').next().unwrap_or_default();
        let client = postgres::Server::shared().await?.connect(database).await?;
        Ok(client.query_one(sql, &[]).await?.get(0))
    }

    /// Where the brokers are.
    pub fn brokers(&self) -> String {
        self.embedded_broker
            .clone()
            .or_else(|| self.setting("KAFKA__BROKERS").map(str::to_owned))
            .unwrap_or_default()
    }

    /// A topic's name on the brokers.
    pub fn topic(&self, name: &str) -> String {
        format!(
            "{}{name}",
            self.setting("KAFKA__TOPIC_PREFIX").unwrap_or_default()
        )
    }
}
