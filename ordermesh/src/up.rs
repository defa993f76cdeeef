//! `ordermesh up`: all five services in one process.
//!
//! Invariant: an order that was accepted is lost only with the process. Stopping
//! closes the gateway's doors first, then waits until every service has settled
//! every record of the embedded broker, and only then stops the services.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use chassis::{
    config::{Config, ConfigError, EXIT_CODE},
    kafka::{Admission, EmbeddedBroker, KafkaOptions},
    service::{Prepared, Running, prepare, stop_signal, watch_over_drain},
};
use clap::Args;
use serde_json::json;

use crate::{
    addresses::{self, Addresses},
    layout,
    output::Format,
};

/// Partitions of each topic on the embedded broker. Few: its bound, and the
/// memory it holds, are per partition.
const EMBEDDED_PARTITIONS: i32 = 2;
/// How long stopping waits for records that were accepted.
const SETTLE: Duration = Duration::from_secs(15);
/// How long readiness may take before it is told what is missing.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
pub(crate) struct UpArguments {
    /// Folder for the databases.
    #[arg(long, default_value = "data", value_name = "DIR")]
    data: PathBuf,
    /// Keeps the databases in a temporary folder that goes with the process.
    #[arg(long, conflicts_with = "data")]
    ephemeral: bool,
}

/// How to run the system in this process.
#[derive(Debug, Clone)]
pub struct UpOptions {
    /// Folder for the databases.
    pub data: PathBuf,
    /// A configuration file.
    pub config: Option<PathBuf>,
    /// The environment; what it sets stands above everything else.
    pub environment: Vec<(String, String)>,
}

/// All five services, running.
#[derive(Debug)]
pub struct Mesh {
    services: Vec<Running>,
    embedded: Option<(EmbeddedBroker, Arc<Admission>)>,
    addresses: Addresses,
}

/// The system could not be started.
#[derive(Debug, thiserror::Error)]
pub enum UpError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A part could not be started.
    #[error("{0:#}")]
    Start(#[from] anyhow::Error),
}

impl Mesh {
    /// Starts everything. Blocks until all services are started, not until they
    /// are ready.
    pub fn start(options: &UpOptions) -> Result<Self, UpError> {
        let mut config = Config::load(options.config.as_deref(), options.environment.clone());
        for service in layout::CONSUMERS {
            let section = service.to_ascii_uppercase();
            let file = options.data.join(format!("{service}.db"));
            let url = format!("sqlite://{}", file.display());
            config.suggest(format!("{section}__DATABASE_URL"), url);
            // SQLite has one writer; more readers than this would sit idle.
            config.suggest(format!("{section}__DATABASE_POOL"), "2");
            config.suggest(format!("{section}__WORKER_THREADS"), "1");
        }
        config.suggest("GATEWAY__WORKER_THREADS", "2");
        let embedded = if config.is_given("KAFKA__BROKERS") {
            None
        } else {
            let (broker, admission) = Self::embedded()?;
            config.suggest("KAFKA__BROKERS", broker.bootstrap_servers());
            Some((broker, admission))
        };

        let payments = prepare::<payments::Payments>(&mut config);
        let history = prepare::<history::History>(&mut config);
        let notifier = prepare::<notifier::Notifier>(&mut config);
        let analytics = prepare::<analytics::Analytics>(&mut config);
        // The gateway finds its neighbours wherever they were told to be.
        for service in layout::CONSUMERS {
            let section = service.to_ascii_uppercase();
            for (kind, setting) in [("GRPC", "ADDRESSES"), ("ADMIN", "ADMIN_ADDRESSES")] {
                let key = format!("{section}__{kind}_ADDRESS");
                if let Some(address) = addresses::configured(&config, &key) {
                    config.suggest(format!("GATEWAY__{section}_{setting}"), address.to_string());
                }
            }
        }
        let gateway = prepare::<gateway::Gateway>(&mut config);
        let addresses = Addresses::of(&config);
        config.finish()?;
        let admission = embedded.as_ref().map(|(_, admission)| admission);
        let prepared = [payments, history, notifier, analytics, gateway];
        let services = start_all(prepared, admission)?;
        Ok(Self {
            services,
            embedded,
            addresses,
        })
    }

    fn embedded() -> anyhow::Result<(EmbeddedBroker, Arc<Admission>)> {
        let dead = layout::CONSUMERS.map(KafkaOptions::dead_letters);
        let replays = layout::CONSUMERS.map(KafkaOptions::replays);
        let events = layout::TOPICS.map(|topic| (topic, EMBEDDED_PARTITIONS));
        let topics = events
            .into_iter()
            .chain(dead.iter().chain(&replays).map(|topic| (topic.as_str(), 1)));
        Ok((EmbeddedBroker::start(topics)?, Arc::default()))
    }

    /// Where the embedded broker listens; `None` on a cluster.
    pub fn embedded_broker(&self) -> Option<String> {
        self.embedded
            .as_ref()
            .map(|(broker, _)| broker.bootstrap_servers())
    }

    /// What is not ready yet, as `service: part: reason`; empty when all is.
    pub fn not_ready(&self) -> Vec<String> {
        self.services
            .iter()
            .flat_map(|service| {
                service
                    .health()
                    .conditions()
                    .into_iter()
                    .filter(|condition| !condition.ready)
                    .map(|condition| {
                        format!(
                            "{}: {}: {}",
                            service.name(),
                            condition.name,
                            condition.reason
                        )
                    })
            })
            .collect()
    }

    /// Waits until everything is ready; in vain, says what is not.
    pub fn wait_until_ready(&self, patience: Duration) -> Result<(), Vec<String>> {
        let start = Instant::now();
        loop {
            let missing = self.not_ready();
            if missing.is_empty() {
                return Ok(());
            }
            if start.elapsed() > patience {
                return Err(missing);
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for a signal, or for the first service to fail.
    async fn until_stopped(&mut self) -> anyhow::Result<()> {
        let failures = self
            .services
            .iter_mut()
            .map(|service| Box::pin(service.failed()));
        tokio::select! {
            stopped = stop_signal() => stopped,
            (error, ..) = futures::future::select_all(failures) => Err(error),
        }
    }

    /// Stops taking orders, settles what was taken, and stops.
    pub fn drain(self) -> anyhow::Result<()> {
        let Self {
            mut services,
            embedded,
            addresses: _,
        } = self;
        let mut failures = Vec::new();
        // The gateway is last in the list; nothing new comes in after it.
        if let Some(gateway) = services.pop() {
            failures.extend(gateway.drain().err());
        }
        if let Some((_, admission)) = &embedded {
            let start = Instant::now();
            while !admission.is_drained() && start.elapsed() < SETTLE {
                thread::sleep(Duration::from_millis(10));
            }
            if !admission.is_drained() {
                failures.push(anyhow::anyhow!(
                    "some accepted orders were not settled within {} s and are lost with the \
                     embedded broker",
                    SETTLE.as_secs()
                ));
            }
        }
        thread::scope(|scope| {
            let draining: Vec<_> = services
                .into_iter()
                .map(|service| scope.spawn(|| service.drain()))
                .collect();
            for drained in draining {
                failures.extend(drained.join().ok().and_then(Result::err));
            }
        });
        match failures.as_slice() {
            [] => Ok(()),
            failures => {
                let mut text = String::new();
                for failure in failures {
                    let _ = write!(text, "{failure:#}; ");
                }
                anyhow::bail!("{}", text.trim_end_matches("; "))
            }
        }
    }
}

/// Starts side by side: most of a start is waiting for files and sockets.
fn start_all<const N: usize>(
    prepared: [Prepared; N],
    admission: Option<&Arc<Admission>>,
) -> anyhow::Result<Vec<Running>> {
    let results: Vec<anyhow::Result<Running>> = thread::scope(|scope| {
        let starting = prepared.map(|service| {
            let service = match admission {
                Some(admission) => service.with_admission(Arc::clone(admission)),
                None => service,
            };
            scope.spawn(move || service.start())
        });
        starting
            .map(|started| {
                started
                    .join()
                    .unwrap_or_else(|_| Err(anyhow::anyhow!("a service panicked")))
            })
            .into()
    });
    let mut services = Vec::new();
    let mut failures = Vec::new();
    for result in results {
        match result {
            Ok(service) => services.push(service),
            Err(error) => failures.push(format!("{error:#}")),
        }
    }
    anyhow::ensure!(failures.is_empty(), "{}", failures.join("\n       "));
    Ok(services)
}

pub(crate) fn run(arguments: &UpArguments, config: Option<&Path>, format: Format) -> ExitCode {
    let start = Instant::now();
    let temporary = if arguments.ephemeral {
        match tempfile::tempdir() {
            Ok(folder) => Some(folder),
            Err(error) => return format.fail(&json!({ "error": error.to_string() }), error),
        }
    } else {
        None
    };
    let data = temporary
        .as_ref()
        .map_or(arguments.data.as_path(), tempfile::TempDir::path);
    let mut environment: Vec<_> = Config::process_environment().collect();
    // On a terminal of one's own, only what needs attention.
    for (key, value) in [
        ("TELEMETRY__LOG", "warn"),
        ("TELEMETRY__LOG_FORMAT", "text"),
    ] {
        if config.is_none() && !environment.iter().any(|(given, _)| given == key) {
            environment.push((key.to_owned(), value.to_owned()));
        }
    }
    let options = UpOptions {
        data: data.to_owned(),
        config: config.map(Path::to_owned),
        environment,
    };
    let mut mesh = match Mesh::start(&options) {
        Ok(mesh) => mesh,
        Err(error) => {
            let code = match error {
                UpError::Config(_) => ExitCode::from(EXIT_CODE),
                UpError::Start(_) => ExitCode::FAILURE,
            };
            format.fail(&json!({ "error": error.to_string() }), error);
            return code;
        }
    };
    if let Err(missing) = mesh.wait_until_ready(PATIENCE) {
        format.tell("Not everything is ready yet; it will be when this is mended:");
        for part in missing {
            format.tell(format_args!("  {part}"));
        }
    }
    announce(&mesh, data, start.elapsed(), arguments.ephemeral, format);

    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return format.fail(&json!({ "error": error.to_string() }), error),
    };
    let stopped = runtime.block_on(mesh.until_stopped());
    format.tell(
        "\nStopping: no new orders; settling those that were accepted. Ctrl-C again ends at once.",
    );
    watch_over_drain(runtime.handle());
    let drained = mesh.drain();
    if let Some(error) = stopped.err().or(drained.err()) {
        return format.failed(&error);
    }
    format.tell("Stopped.");
    ExitCode::SUCCESS
}

fn announce(mesh: &Mesh, data: &Path, took: Duration, ephemeral: bool, format: Format) {
    let broker = mesh.embedded_broker();
    let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let json = json!({
        "event": "ready", "tookMs": millis, "embeddedBroker": broker, "data": data,
        "addresses": mesh.addresses.json(),
    });
    let mut text = format!("Ordermesh is ready ({millis} ms).\n\n{}", mesh.addresses);
    if let Some(broker) = broker {
        let kept = if ephemeral {
            "gone with this process"
        } else {
            "kept"
        };
        let _ = write!(
            text,
            "\n  Kafka       {broker}            embedded: in memory, for trying out; read it with kcat -b {broker}\
             \n  databases   {}/*.db ({kept})\n",
            data.display()
        );
    }
    text.push_str("\nCtrl-C stops after what was accepted is settled.");
    format.print(&json, text);
}

#[cfg(test)]
mod tests {
    use chassis::service::Service as _;

    use super::*;

    #[test]
    fn every_consumer_has_its_dead_letters() {
        let names = [
            payments::Payments::NAME,
            history::History::NAME,
            notifier::Notifier::NAME,
            analytics::Analytics::NAME,
        ];
        assert_eq!(names, layout::CONSUMERS);
        assert_eq!(gateway::Gateway::NAME, "gateway");
    }
}
