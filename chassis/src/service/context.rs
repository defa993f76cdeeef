//! What a service is built from, and what drains it.

use std::{
    future::Future,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, OnceLock},
    time::Duration,
};

use anyhow::Context as _;
use opentelemetry::{KeyValue, metrics::Meter};
use serde_json::Value;
use tokio::{
    net::{TcpListener, TcpSocket},
    sync::mpsc,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    admin::StatusBoard,
    db::{Database, DatabaseUrl, DbError, Migrations, PoolSize},
    grpc::{self, GrpcRoutes},
    health::{Affects, Health, ReadinessHandle},
    http,
    kafka::{ConsumerOptions, Handler, KafkaOptions, Publisher, consumer},
    telemetry::Telemetry,
};

/// When something drains. Phases run one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Doors close: servers finish the calls they have.
    Doors,
    /// Consumers finish what is in hand and commit.
    Consumers,
    /// Background work stops.
    Work,
    /// The producer sends what it still holds.
    Producer,
}

type Drain = Pin<Box<dyn Future<Output = ()> + Send>>;

/// How often a database is asked whether it answers.
const PROBE_INTERVAL: Duration = Duration::from_secs(2);

/// A service's surroundings. Everything it starts, it starts through here, so
/// that everything is drained.
pub struct Context {
    name: &'static str,
    telemetry: Telemetry,
    health: Health,
    kafka: KafkaOptions,
    publisher: OnceLock<Publisher>,
    shutdown: CancellationToken,
    doors: CancellationToken,
    tasks: TaskTracker,
    failures: mpsc::UnboundedSender<anyhow::Error>,
    drains: Vec<(Phase, &'static str, Drain)>,
    status: StatusBoard,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// What [`Context`] hands to the one who runs the service.
pub(super) struct Parts {
    pub(super) shutdown: CancellationToken,
    pub(super) doors: CancellationToken,
    pub(super) tasks: TaskTracker,
    pub(super) drains: Vec<(Phase, &'static str, Drain)>,
}

impl Context {
    pub(super) fn new(
        name: &'static str,
        telemetry: Telemetry,
        kafka: KafkaOptions,
        failures: mpsc::UnboundedSender<anyhow::Error>,
    ) -> Self {
        let health = Health::default();
        observe_health(telemetry.meter(), &health);
        Self {
            name,
            telemetry,
            health,
            kafka,
            publisher: OnceLock::new(),
            shutdown: CancellationToken::new(),
            doors: CancellationToken::new(),
            tasks: TaskTracker::new(),
            failures,
            drains: Vec::new(),
            status: StatusBoard::default(),
        }
    }

    pub(super) fn into_parts(self) -> Parts {
        Parts {
            shutdown: self.shutdown,
            doors: self.doors,
            tasks: self.tasks,
            drains: self.drains,
        }
    }

    /// The service's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The service's telemetry.
    pub fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    /// Where instruments come from.
    pub fn meter(&self) -> &Meter {
        self.telemetry.meter()
    }

    /// The service's health.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// What the admin server's `/status` tells.
    pub(crate) fn status(&self) -> &StatusBoard {
        &self.status
    }

    /// Adds facts to `/status` under a name.
    pub fn report(&self, name: &'static str, facts: impl Fn() -> Value + Send + Sync + 'static) {
        self.status.add(name, facts);
    }

    /// Adds a condition of readiness; not ready until its handle says so.
    pub fn readiness(&self, name: &'static str) -> ReadinessHandle {
        self.health.condition(name, Affects::Work)
    }

    /// Cancelled when background work has to stop.
    pub fn shutdown(&self) -> CancellationToken {
        self.shutdown.clone()
    }

    /// Cancelled as soon as draining begins: streams and waits that a caller
    /// keeps open must end then.
    pub fn doors_closing(&self) -> CancellationToken {
        self.doors.clone()
    }

    /// Settings of Kafka.
    pub fn kafka(&self) -> &KafkaOptions {
        &self.kafka
    }

    /// The service's publisher. One per service: librdkafka batches per client.
    pub fn publisher(&mut self) -> anyhow::Result<Publisher> {
        if let Some(publisher) = self.publisher.get() {
            return Ok(publisher.clone());
        }
        let condition = self.readiness("kafka producer");
        let publisher = Publisher::new(self.name, &self.kafka, &self.telemetry, condition)?;
        let flushed = publisher.clone();
        self.on_drain(
            Phase::Producer,
            "producer",
            async move { flushed.flush().await },
        );
        Ok(self.publisher.get_or_init(|| publisher).clone())
    }

    /// Starts consuming topics with a handler.
    pub fn consume<H: Handler>(
        &mut self,
        options: ConsumerOptions,
        handler: Arc<H>,
    ) -> anyhow::Result<()> {
        let publisher = self.publisher()?;
        let consumer = consumer::start(self, options, publisher, handler)?;
        self.on_drain(Phase::Consumers, "consumer", consumer.drain());
        Ok(())
    }

    /// Runs something in the background that must go on until
    /// [`Context::shutdown`] is cancelled. If it ends earlier, fails or panics,
    /// the service stops: half a service is worse than none.
    pub fn spawn(
        &mut self,
        name: &'static str,
        task: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        let failures = self.failures.clone();
        let shutdown = self.shutdown.clone();
        let handle = self.tasks.spawn(task);
        self.tasks.spawn(async move {
            let failure = match handle.await {
                Ok(Ok(())) if shutdown.is_cancelled() => return,
                Ok(Ok(())) => anyhow::anyhow!("{name} ended by itself"),
                Ok(Err(error)) => error.context(format!("{name} failed")),
                Err(error) => anyhow::anyhow!("{name} panicked: {error}"),
            };
            // Nobody listens when the process is already on its way out.
            let _ = failures.send(failure);
        });
    }

    /// Adds something to do when draining.
    pub fn on_drain(
        &mut self,
        phase: Phase,
        name: &'static str,
        drain: impl Future<Output = ()> + Send + 'static,
    ) {
        self.drains.push((phase, name, Box::pin(drain)));
    }

    /// Opens a database, however long it takes for it to answer, and keeps
    /// asking whether it still does.
    pub async fn open_database(
        &mut self,
        url: &DatabaseUrl,
        size: PoolSize,
        migrations: fn() -> Migrations,
    ) -> anyhow::Result<Database> {
        let condition = self.health.condition("database", Affects::Calls);
        let mut pause = crate::retry::Pause::default();
        let database = loop {
            match Database::open(url, size, migrations()).await {
                Ok(database) => break database,
                Err(error @ DbError::Statement(_)) => return Err(error.into()),
                Err(error) => condition.set_not_ready(error.to_string()),
            }
            tokio::select! {
                () = self.doors.cancelled() => anyhow::bail!("stopped before the database answered"),
                () = tokio::time::sleep(pause.next_pause()) => {}
            }
        };
        condition.set_ready();
        observe_pool(self.meter(), &database);
        let probed = database.clone();
        let shutdown = self.shutdown.clone();
        self.spawn("database probe", async move {
            while !stopped_within(&shutdown, PROBE_INTERVAL).await {
                match probed.ping().await {
                    Ok(()) => condition.set_ready(),
                    Err(error) => condition.set_not_ready(error.to_string()),
                }
            }
            Ok(())
        });
        Ok(database)
    }

    /// Serves gRPC, with reflection, health, limits, traces and metrics. Binds
    /// at once, so a taken port is an error of the start.
    pub fn serve_grpc(
        &mut self,
        address: SocketAddr,
        descriptors: &'static [u8],
        routes: GrpcRoutes,
    ) -> anyhow::Result<()> {
        let listener = bind("gRPC", address)?;
        let server = grpc::serve(
            listener,
            descriptors,
            routes,
            self.health.clone(),
            &self.telemetry,
            self.doors.clone(),
        )?;
        self.door("gRPC server", server);
        Ok(())
    }

    /// Serves HTTP, with limits, traces and metrics.
    pub fn serve_http(&mut self, address: SocketAddr, router: axum::Router) -> anyhow::Result<()> {
        let listener = bind("HTTP", address)?;
        let router = http::observed(router, &self.telemetry);
        self.door(
            "HTTP server",
            http::serve(listener, router, self.doors.clone()),
        );
        Ok(())
    }

    /// Runs a server until its door closes; one that ends earlier stops the
    /// service.
    fn door(
        &mut self,
        name: &'static str,
        server: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        let failures = self.failures.clone();
        let handle = self.tasks.spawn(server);
        let (ended, wait) = tokio::sync::oneshot::channel::<()>();
        let doors = self.doors.clone();
        self.tasks.spawn(async move {
            let failure = match handle.await {
                Ok(Ok(())) if doors.is_cancelled() => None,
                Ok(Ok(())) => Some(anyhow::anyhow!("{name} ended by itself")),
                Ok(Err(error)) => Some(error.context(format!("{name} failed"))),
                Err(error) => Some(anyhow::anyhow!("{name} panicked: {error}")),
            };
            drop(ended);
            if let Some(failure) = failure {
                let _ = failures.send(failure);
            }
        });
        self.on_drain(Phase::Doors, name, async move {
            let _ = wait.await;
        });
    }
}

/// What the service waits for, as far as it can be told without words.
fn observe_health(meter: &Meter, health: &Health) {
    let health = health.clone();
    meter
        .u64_observable_gauge("ordermesh.condition.ready")
        .with_description("1 while a part of the service can do its work, by condition")
        .with_callback(move |ready| {
            for condition in health.conditions() {
                let name = KeyValue::new("condition", condition.name);
                ready.observe(condition.ready.into(), &[name]);
            }
        })
        .build();
}

/// How busy the pool is, by the semantic conventions for database clients.
fn observe_pool(meter: &Meter, database: &Database) {
    let database = database.clone();
    let waiting = database.clone();
    meter
        .u64_observable_gauge("db.client.connection.count")
        .with_description("Connections of the pool, by state")
        .with_callback(move |connections| {
            let pool = database.pool_use();
            for (state, count) in [("used", pool.used), ("idle", pool.idle)] {
                let state = KeyValue::new("db.client.connection.state", state);
                connections.observe(count as u64, &[state]);
            }
        })
        .build();
    meter
        .u64_observable_gauge("db.client.connection.pending_requests")
        .with_description("Callers who wait for a connection of the pool")
        .with_callback(move |pending| pending.observe(waiting.pool_use().pending as u64, &[]))
        .build();
}

/// Waits for a while; true when there is no more to wait for.
pub(crate) async fn stopped_within(shutdown: &CancellationToken, pause: Duration) -> bool {
    tokio::select! {
        () = shutdown.cancelled() => true,
        () = tokio::time::sleep(pause) => false,
    }
}

/// Connections that may wait to be accepted. Tokio's 1,024 overflow when thousands
/// of clients come at once, and Linux then resets some of them (SYN cookies that
/// it cannot check). The kernel's own bound, `net.core.somaxconn`, holds as well.
const BACKLOG: u32 = 8_192;

pub(super) fn bind(what: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    listen(address).with_context(|| {
        format!("cannot listen for {what} on {address}; is another process using the port?")
    })
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // As Tokio's own `bind` does: a restart need not wait for old connections.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
