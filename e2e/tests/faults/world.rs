//! The system under fault: three brokers, a database server, and the services as
//! processes of their own, so that signals mean what they say.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Context as _;
use e2e::{
    footing::{Footing, Grounds, SERVICES, STORING},
    process,
};
use http::StatusCode;
use testkit::{
    kafka::Cluster,
    ports, postgres,
    process::{Process, Scratch},
    rest::Rest,
    wait::until,
};

/// How long a service may take to end in order.
pub(crate) const STOP: Duration = Duration::from_secs(25);

/// Everything that can be hurt.
pub(crate) struct World {
    pub(crate) kafka: Cluster,
    pub(crate) postgres: postgres::Server,
    pub(crate) footing: Footing,
    processes: BTreeMap<&'static str, Process>,
    scratch: Scratch,
    /// What the payment provider has charged, one line each.
    charges: tempfile::NamedTempFile,
    next_user: i64,
    /// By how much times may be exceeded. The short form runs beside other tests on
    /// machines of any kind, and must fail for what is wrong, not for what is slow.
    pub(crate) slack: u32,
}

impl World {
    pub(crate) async fn start(slack: u32) -> anyhow::Result<Self> {
        let kafka = Cluster::builder(3).proxied().launch().await?;
        let postgres = postgres::Server::launch().await?;
        let charges = tempfile::NamedTempFile::new()?;
        let mut databases = BTreeMap::new();
        for service in STORING {
            databases.insert(service, postgres.fresh_database(service).await?);
        }
        let grounds = Grounds {
            brokers: kafka.bootstrap_servers(),
            databases,
        };
        let path = charges.path().display().to_string();
        let settings = [
            ("PAYMENTS__MOCK_JOURNAL", path.as_str()),
            // As many traces as services send by default: nobody looks at them here,
            // and to take all of them would cost more than what is measured.
            ("OTEL_TRACES_SAMPLER", ""),
            // A send that hangs is given up soon, so that rows take seconds.
            ("NOTIFIER__SEND_TIMEOUT", "2s"),
            ("NOTIFIER__RETRY_LONGEST", "2s"),
        ];
        let footing = Footing::on(grounds, &settings).await?;
        let mut world = Self {
            kafka,
            postgres,
            footing,
            processes: BTreeMap::new(),
            scratch: Scratch::new("faults")?,
            charges,
            next_user: 1_000_000,
            slack,
        };
        for service in SERVICES {
            world.begin(service, &[]).await?;
        }
        Ok(world)
    }

    /// A service's process.
    pub(crate) fn process(&self, service: &str) -> anyhow::Result<&Process> {
        self.processes.get(service).context("it was not started")
    }

    /// Starts a service, in place of what has ended, with more in its
    /// environment, and waits until it is ready.
    pub(crate) async fn begin(
        &mut self,
        service: &'static str,
        more: &[(&str, String)],
    ) -> anyhow::Result<()> {
        let process = process::start_with(&self.footing, service, &self.scratch, more).await?;
        self.processes.insert(service, process);
        Ok(())
    }

    /// Starts a service without waiting for it to be ready.
    pub(crate) async fn launch(
        &mut self,
        service: &'static str,
        more: &[(&str, String)],
    ) -> anyhow::Result<()> {
        let process = process::launch(&self.footing, service, &self.scratch, more).await?;
        self.processes.insert(service, process);
        Ok(())
    }

    /// A second instance of a service, at ports of its own.
    pub(crate) async fn second(&self, service: &str) -> anyhow::Result<Process> {
        let section = service.to_ascii_uppercase();
        let free = || anyhow::Ok(format!("127.0.0.1:{}", ports::free()?));
        let more = [
            (format!("{section}__GRPC_ADDRESS"), free()?),
            (format!("{section}__ADMIN_ADDRESS"), free()?),
        ];
        let more = more
            .each_ref()
            .map(|(key, value)| (key.as_str(), value.clone()));
        process::launch(&self.footing, service, &self.scratch, &more).await
    }

    /// What `/readyz` says.
    pub(crate) async fn is_ready(&self, service: &str) -> bool {
        let admin = Rest::new(&self.footing.addresses.admin(service));
        let answer = admin.get("/readyz").await;
        answer.is_ok_and(|answer| answer.status == StatusCode::OK)
    }

    /// Waits until every service is ready again.
    pub(crate) async fn until_ready(&self, within: Duration) -> anyhow::Result<()> {
        for service in SERVICES {
            until(&format!("{service} to be ready"), within, async || {
                self.is_ready(service)
                    .await
                    .then_some(())
                    .ok_or("not ready")
            })
            .await?;
        }
        Ok(())
    }

    /// A connection to a service's database.
    pub(crate) async fn database(&self, service: &str) -> anyhow::Result<postgres::Client> {
        let key = format!("{}__DATABASE_URL", service.to_ascii_uppercase());
        let url = self.footing.setting(&key).context("no database")?;
        self.postgres.connect(url).await
    }

    /// How often each order was charged.
    pub(crate) fn charges(&self) -> anyhow::Result<BTreeMap<String, usize>> {
        let mut charges = BTreeMap::new();
        for line in std::fs::read_to_string(self.charges.path())?.lines() {
            let order = line.split(' ').next().unwrap_or_default();
            *charges.entry(order.to_owned()).or_default() += 1;
        }
        Ok(charges)
    }

    /// Users that nobody else is: a row's orders are known by them.
    pub(crate) fn new_users(&mut self) -> i64 {
        self.next_user += 1_000_000;
        self.next_user
    }

    /// Forgets mails and spans of what came before: hours of them would fill the
    /// memory.
    pub(crate) fn forget_sinks(&self) {
        self.footing.smtp.clear();
        self.footing.otlp.clear();
    }

    /// Ends everything in order.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        for process in self.processes.values() {
            let code = process.stop(STOP).await?;
            anyhow::ensure!(code == 0, "{} ended with {code}", process.name());
        }
        Ok(())
    }
}
