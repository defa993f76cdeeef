//! A service in its process: prepared, running, drained.

use std::{future::Future, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use anyhow::Context as _;
use tokio::{
    runtime::{Handle, Runtime},
    sync::mpsc,
    time::Instant,
};

use super::{
    Context, DRAIN_LIMIT, Phase, Service,
    context::{Parts, bind},
};
use crate::{
    admin,
    config::Config,
    health::{Affects, Health, ReadinessHandle},
    kafka::{Admission, KafkaOptions},
    telemetry::{Telemetry, TelemetryOptions},
};

/// How long spans may take to leave at the end.
const TELEMETRY_FLUSH: Duration = Duration::from_secs(3);

type Start = Box<
    dyn for<'c> FnOnce(
            &'c mut Context,
        ) -> Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send + 'c>>
        + Send,
>;

/// A service whose settings are read.
pub struct Prepared {
    name: &'static str,
    admin_address: SocketAddr,
    workers: usize,
    telemetry: TelemetryOptions,
    kafka: KafkaOptions,
    start: Start,
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prepared")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Reads a service's settings. Ask [`Config::finish`] before starting it.
pub fn prepare<S: Service>(config: &mut Config) -> Prepared {
    let mut section = config.section(S::SECTION);
    let admin_address = section.get(
        "ADMIN_ADDRESS",
        S::ADMIN_ADDRESS,
        "where /livez, /readyz, /metrics and /status are served",
    );
    let workers = section.get(
        "WORKER_THREADS",
        "0",
        "threads of the asynchronous runtime; 0: one per core",
    );
    let options = S::options(config);
    Prepared {
        name: S::NAME,
        admin_address,
        workers,
        telemetry: TelemetryOptions::read(config),
        kafka: KafkaOptions::read(config),
        start: Box::new(|context| Box::pin(S::start(options, context))),
    }
}

/// A service that runs, on a runtime of its own.
#[derive(Debug)]
pub struct Running {
    name: &'static str,
    runtime: Owned,
    telemetry: Telemetry,
    health: Health,
    ready: ReadinessHandle,
    failures: mpsc::UnboundedReceiver<anyhow::Error>,
    parts: Parts,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Parts")
    }
}

impl Prepared {
    /// The service's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Publishes within the bounds of an embedded broker.
    pub fn with_admission(mut self, admission: Arc<Admission>) -> Self {
        self.kafka = self.kafka.with_admission(admission);
        self
    }

    pub(super) fn admin_address(&self) -> SocketAddr {
        self.admin_address
    }

    /// Starts the service. Blocks until everything is bound and spawned, so it
    /// must not be called from a runtime's own thread.
    pub fn start(self) -> anyhow::Result<Running> {
        let workers = match self.workers {
            0 => std::thread::available_parallelism().map_or(2, usize::from),
            workers => workers,
        };
        let telemetry = Telemetry::new(self.name, &self.telemetry)
            .with_context(|| format!("{}: telemetry", self.name))?;
        let runtime = Owned::new(telemetry.runtime(self.name, workers)?);
        let (failed, failures) = mpsc::unbounded_channel();
        let mut context = Context::new(self.name, telemetry.clone(), self.kafka, failed);
        let health = context.health().clone();
        let ready = health.condition("service", Affects::Work);
        let (start, admin_address) = (self.start, self.admin_address);
        let name = self.name;
        let parts = {
            let telemetry = telemetry.clone();
            let _subscriber = tracing::dispatcher::set_default(telemetry.dispatch());
            runtime.handle.block_on(async move {
                let listener = bind("admin", admin_address)?;
                let router = admin::router(&context);
                let closed = context.shutdown();
                tokio::spawn(crate::http::serve(listener, router, closed));
                start(&mut context)
                    .await
                    .with_context(|| format!("{name} cannot start"))?;
                anyhow::Ok(context.into_parts())
            })?
        };
        ready.set_ready();
        Ok(Running {
            name: self.name,
            runtime,
            telemetry,
            health,
            ready,
            failures,
            parts,
        })
    }
}

/// A runtime that may be given up anywhere. Tokio's own refuses to be dropped on
/// a runtime's thread, because it waits for its tasks; one that is given up
/// rather than drained has nothing left to wait for.
#[derive(Debug)]
struct Owned {
    handle: Handle,
    runtime: Option<Runtime>,
}

impl Owned {
    fn new(runtime: Runtime) -> Self {
        Self {
            handle: runtime.handle().clone(),
            runtime: Some(runtime),
        }
    }

    /// Ends it, giving what still runs this long.
    fn end(mut self, patience: Duration) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(patience);
        }
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Running {
    /// The service's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The service's runtime.
    pub fn handle(&self) -> Handle {
        self.runtime.handle.clone()
    }

    /// The service's health.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// Ends when a part of the service failed that it cannot do without.
    pub async fn failed(&mut self) -> anyhow::Error {
        match self.failures.recv().await {
            Some(error) => error,
            None => anyhow::anyhow!("{} has no parts left", self.name),
        }
    }

    /// Closes the service's doors, and nothing else yet.
    pub fn close_doors(&self) {
        self.ready.set_not_ready("draining");
        self.parts.doors.cancel();
    }

    /// Drains the service and ends its runtime. Blocks; returns how long it
    /// took, or that it took too long.
    pub fn drain(self) -> anyhow::Result<Duration> {
        let start = Instant::now();
        self.close_doors();
        let Parts {
            shutdown,
            doors: _,
            tasks,
            mut drains,
        } = self.parts;
        drains.sort_by_key(|(phase, ..)| *phase);
        let subscriber = tracing::dispatcher::set_default(self.telemetry.dispatch());
        let in_time = self.runtime.handle.block_on(async {
            tokio::time::timeout_at(start + DRAIN_LIMIT, async {
                let mut drains = drains.into_iter().peekable();
                for phase in [Phase::Doors, Phase::Consumers, Phase::Work, Phase::Producer] {
                    if phase == Phase::Work {
                        shutdown.cancel();
                        tasks.close();
                        tasks.wait().await;
                    }
                    let mut now = Vec::new();
                    while let Some((_, _, drain)) = drains.next_if(|(of, ..)| *of == phase) {
                        now.push(drain);
                    }
                    futures::future::join_all(now).await;
                }
            })
            .await
        });
        self.telemetry.flush(TELEMETRY_FLUSH);
        drop(subscriber);
        self.runtime.end(Duration::from_millis(500));
        match in_time {
            Ok(()) => Ok(start.elapsed()),
            Err(_) => anyhow::bail!(
                "{} did not drain within {} s; what was in hand will be redelivered",
                self.name,
                DRAIN_LIMIT.as_secs()
            ),
        }
    }
}
