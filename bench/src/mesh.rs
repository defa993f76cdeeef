//! Our services, each its own process, on topics and databases of their own.

use std::collections::BTreeMap;

use chassis::kafka::{KafkaOptions, ensure_topics};
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions},
    client::DefaultClientContext,
};
use testkit::{
    postgres::Client,
    process::Process,
    services::{self, Addresses, Environment, STORING},
};

use crate::lab::Lab;

/// Partitions of a topic, as `ordermesh topics create` makes them.
const PARTITIONS: i32 = 12;
/// How long a service may take to end in order.
const STOP: std::time::Duration = std::time::Duration::from_secs(25);

/// A system; which of its services run is up to the figure.
pub(crate) struct Mesh<'lab> {
    lab: &'lab Lab,
    pub(crate) addresses: Addresses,
    environment: Environment,
    processes: BTreeMap<&'static str, Process>,
}

impl<'lab> Mesh<'lab> {
    /// Topics, databases and settings; nothing runs yet. Telemetry is on, with the
    /// sampler that services have by default.
    pub(crate) async fn prepare(lab: &'lab Lab, settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let addresses = Addresses::free()?;
        let mut environment = addresses.environment();
        let mut set = |key: &str, value: String| environment.push((key.to_owned(), value));
        set("NOTIFIER__SMTP_URL", lab.smtp.url());
        set("OTEL_EXPORTER_OTLP_ENDPOINT", lab.otlp.endpoint());
        set("TELEMETRY__LOG_FORMAT", "json".to_owned());
        set("KAFKA__BROKERS", lab.kafka.bootstrap_servers());
        let prefix = format!("b{}.", uuid::Uuid::now_v7().simple());
        set("KAFKA__TOPIC_PREFIX", prefix);
        for service in STORING {
            let key = format!("{}__DATABASE_URL", service.to_ascii_uppercase());
            set(&key, lab.postgres.fresh_database(service).await?);
        }
        for (key, value) in settings {
            set(key, (*value).to_owned());
        }
        let mesh = Self {
            lab,
            addresses,
            environment,
            processes: BTreeMap::new(),
        };
        ensure_topics(&mesh.kafka()?, &ordermesh::topic_specs(PARTITIONS, 1)).await?;
        Ok(mesh)
    }

    /// Starts a service and waits until it is ready.
    pub(crate) async fn begin(&mut self, service: &'static str) -> anyhow::Result<()> {
        let process = self.another(service, &[]).await?;
        services::until_ready(&process, &self.addresses.admin(service)).await?;
        self.processes.insert(service, process);
        Ok(())
    }

    /// Starts all services.
    pub(crate) async fn begin_all(&mut self) -> anyhow::Result<()> {
        for service in services::SERVICES {
            self.begin(service).await?;
        }
        Ok(())
    }

    /// Starts one more instance of a service, without waiting for it.
    pub(crate) async fn another(
        &self,
        service: &str,
        more: &[(&str, &str)],
    ) -> anyhow::Result<Process> {
        let own = self.environment.iter();
        let own = own.map(|(key, value)| (key.as_str(), value.as_str()));
        let more = more.iter().copied();
        services::launch(service, own.chain(more), &self.lab.scratch).await
    }

    /// A running service's process id.
    pub(crate) fn id(&self, service: &str) -> u32 {
        self.processes.get(service).map_or(0, Process::id)
    }

    /// Waits until a service ends by itself, which none should.
    pub(crate) async fn ended(&self, service: &str) -> anyhow::Error {
        let Some(process) = self.processes.get(service) else {
            return anyhow::anyhow!("{service} does not run");
        };
        match process.wait().await {
            Ok(code) => anyhow::anyhow!("{service} ended with {code}"),
            Err(error) => error,
        }
    }

    /// Ends one service in order.
    pub(crate) async fn end(&mut self, service: &str) -> anyhow::Result<()> {
        if let Some(process) = self.processes.remove(service) {
            stop(&process).await?;
        }
        Ok(())
    }

    /// Ends all in order.
    pub(crate) async fn end_all(mut self) -> anyhow::Result<()> {
        for service in services::SERVICES {
            self.end(service).await?;
        }
        Ok(())
    }

    /// Asks a service's database directly.
    pub(crate) async fn count(&self, service: &str, sql: &str) -> anyhow::Result<i64> {
        let client = self.connect(service).await?;
        Ok(client.query_one(sql, &[]).await?.get(0))
    }

    /// A connection to a service's database.
    pub(crate) async fn connect(&self, service: &str) -> anyhow::Result<Client> {
        self.lab.postgres.connect(self.database(service)).await
    }

    /// Forgets how far a service has read.
    pub(crate) async fn forget_group(&self, service: &str) -> anyhow::Result<()> {
        let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
            .set("bootstrap.servers", self.lab.kafka.bootstrap_servers())
            .create()?;
        let group = self.kafka()?.group(service);
        let results = admin.delete_groups(&[&group], &AdminOptions::new()).await?;
        for result in results {
            result.map_err(|(group, code)| anyhow::anyhow!("{group}: {code}"))?;
        }
        Ok(())
    }

    /// One of the settings; empty when it is not there.
    pub(crate) fn setting(&self, key: &str) -> &str {
        let found = self.environment.iter().rev().find(|(of, _)| of == key);
        found.map_or("", |(_, value)| value.as_str())
    }

    /// A service's database.
    pub(crate) fn database(&self, service: &str) -> &str {
        self.setting(&format!("{}__DATABASE_URL", service.to_ascii_uppercase()))
    }

    /// The Kafka settings.
    pub(crate) fn kafka(&self) -> anyhow::Result<KafkaOptions> {
        let mut config = chassis::config::Config::load(None, self.environment.clone());
        let options = KafkaOptions::read(&mut config);
        config.finish()?;
        Ok(options)
    }
}

/// Ends a process in order.
pub(crate) async fn stop(process: &Process) -> anyhow::Result<()> {
    let code = process.stop(STOP).await?;
    anyhow::ensure!(code == 0, "{} ended with {code}", process.name());
    Ok(())
}
