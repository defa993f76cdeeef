//! What lies outside of a payments process, and processes in it.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::ensure;
use async_trait::async_trait;
use chassis::{
    kafka::{HandlerError, PublishError, Settlement},
    telemetry::{Traced, span::current_trace_id},
};
use payments::{
    cashier::{Cashier, CashierOptions},
    handler::{Orders, Received},
    metrics::Metrics,
    payment::Payment,
    provider::{
        Answer, Charge, ChargeError, PaymentProvider,
        mock::{MockOptions, MockProvider},
    },
    publish::Publish,
    store::{self, Store},
    sweeper::{Sweeper, SweeperOptions},
};
use proto::{
    event::{PlacedOrder, SettledPayment},
    id::{OrderId, PaymentId},
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::{
    database,
    trap::{Trap, Trapped},
};

/// A database, a bank and a topic. They outlive every process.
pub(crate) struct World {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) bank: Arc<Bank>,
    pub(crate) topic: Arc<Topic>,
}

impl World {
    pub(crate) async fn new(url: &str) -> anyhow::Result<Self> {
        Self::with(url, MockOptions::default()).await
    }

    /// A world whose bank behaves so.
    pub(crate) async fn with(url: &str, bank: MockOptions) -> anyhow::Result<Self> {
        Ok(Self {
            store: database::open(url).await?,
            bank: Arc::new(Bank::new(bank)?),
            topic: Arc::default(),
        })
    }

    /// One charge, one outcome and one event for each order, and nothing left to do.
    pub(crate) async fn expect_complete(&self, orders: &[PlacedOrder]) -> anyhow::Result<()> {
        let charges = self.bank.charges()?;
        let events = self.topic.events();
        for order in orders {
            let order_id = order.order_id;
            ensure!(
                charges.get(&order_id) == Some(&1),
                "charges: {:?}",
                charges.get(&order_id)
            );
            let payment = self.payment(order).await?;
            let event = payment.settled_event();
            let published: Vec<_> = events
                .iter()
                .filter(|one| one.order_id == order_id)
                .collect();
            ensure!(!published.is_empty(), "an event must be there");
            ensure!(
                published.iter().all(|one| Some(*one) == event.as_ref()),
                "{published:?}"
            );
            ensure!(published[0].payment_id == PaymentId::of(order_id));
        }
        ensure!(charges.len() == orders.len());
        let stats = self.store.stats().await?;
        let settled = stats.captured + stats.declined.values().sum::<i64>();
        ensure!(
            (stats.pending, settled) == (0, i64::try_from(orders.len())?),
            "{stats:?}"
        );
        let left = self.process().sweeper.sweep().await?;
        ensure!(left == 0, "{left} payments are still open");
        Ok(())
    }

    pub(crate) async fn payment(&self, order: &PlacedOrder) -> anyhow::Result<Payment> {
        let mut found = self.store.get(vec![PaymentId::of(order.order_id)]).await?;
        found
            .pop()
            .ok_or_else(|| anyhow::anyhow!("there is no payment"))
    }

    /// A process whose leases run out at once, so that its sweeper finds
    /// everything that is open.
    pub(crate) fn process(&self) -> Process {
        Process::start(self, &Settings::default())
    }
}

/// How a process is set up.
pub(crate) struct Settings {
    pub(crate) trap: Option<Arc<Trap>>,
    pub(crate) charges_at_once: usize,
    pub(crate) charge_timeout: Duration,
    pub(crate) lease: Duration,
    pub(crate) charge_for: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            trap: None,
            charges_at_once: 256,
            charge_timeout: Duration::from_secs(30),
            lease: Duration::ZERO,
            charge_for: Duration::from_secs(3_600),
        }
    }
}

/// A payments process.
pub(crate) struct Process {
    pub(crate) orders: Orders,
    pub(crate) sweeper: Sweeper,
    pub(crate) closing: CancellationToken,
}

impl Process {
    pub(crate) fn start(world: &World, settings: &Settings) -> Self {
        let mut store = store::gathered(Arc::clone(&world.store), 128);
        let mut provider: Arc<dyn PaymentProvider> = world.bank.clone();
        let mut publisher: Arc<dyn Publish> = world.topic.clone();
        if let Some(trap) = &settings.trap {
            store = Arc::new(Trapped {
                inner: store,
                trap: Arc::clone(trap),
            });
            provider = Arc::new(Trapped {
                inner: provider,
                trap: Arc::clone(trap),
            });
            publisher = Arc::new(Trapped {
                inner: publisher,
                trap: Arc::clone(trap),
            });
        }
        let metrics = Arc::new(Metrics::new(&opentelemetry::global::meter("test")));
        let options = CashierOptions {
            charges_at_once: settings.charges_at_once,
            charge_timeout: settings.charge_timeout,
        };
        let cashier = Cashier::new(
            Arc::clone(&store),
            provider,
            publisher,
            Arc::clone(&metrics),
            options,
        );
        let cashier = Arc::new(cashier);
        let closing = CancellationToken::new();
        let sweeper = SweeperOptions {
            interval: Duration::from_millis(10),
            lease: settings.lease,
            charge_for: settings.charge_for,
        };
        Self {
            orders: Orders::new(
                Arc::clone(&store),
                Arc::clone(&cashier),
                settings.lease,
                closing.clone(),
            ),
            sweeper: Sweeper::new(store, cashier, metrics, sweeper),
            closing,
        }
    }

    /// Delivers a batch.
    pub(crate) async fn deliver(
        &self,
        batch: &[PlacedOrder],
    ) -> Result<Vec<Settlement>, HandlerError> {
        let traced = Traced::default();
        let received: Vec<Received<'_>> = batch
            .iter()
            .map(|order| Received {
                order,
                traced: &traced,
                traceparent: None,
            })
            .collect();
        self.orders.charge(&received).await
    }
}

/// The simulated provider with a journal, and with strings to pull.
pub(crate) struct Bank {
    provider: MockProvider,
    journal: TempDir,
    /// Calls, and how many of them at once.
    pub(crate) calls: AtomicUsize,
    current: AtomicUsize,
    pub(crate) most_at_once: AtomicUsize,
    /// Whether it is away.
    pub(crate) away: AtomicBool,
    /// An order that gets no answer.
    pub(crate) silent_for: Mutex<Option<OrderId>>,
}

impl Bank {
    fn new(mut options: MockOptions) -> anyhow::Result<Self> {
        let journal = TempDir::new()?;
        options.journal = Some(journal.path().join("charges"));
        Ok(Self {
            provider: MockProvider::new(options)?,
            journal,
            calls: AtomicUsize::new(0),
            current: AtomicUsize::new(0),
            most_at_once: AtomicUsize::new(0),
            away: AtomicBool::new(false),
            silent_for: Mutex::default(),
        })
    }

    /// How often each order was charged.
    pub(crate) fn charges(&self) -> anyhow::Result<HashMap<OrderId, usize>> {
        let mut charges = HashMap::new();
        for line in std::fs::read_to_string(self.journal.path().join("charges"))?.lines() {
            let order_id = line.split(' ').next().unwrap_or_default().parse()?;
            *charges.entry(order_id).or_default() += 1;
        }
        Ok(charges)
    }
}

#[async_trait]
impl PaymentProvider for Bank {
    async fn charge(&self, charge: Charge<'_>) -> Result<Answer, ChargeError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        if self.away.load(Ordering::SeqCst) {
            return Err(ChargeError::Unavailable("told to be away".into()));
        }
        if *self.silent_for.lock().unwrap() == Some(charge.order_id) {
            std::future::pending::<()>().await;
        }
        let current = self.current.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(current, Ordering::SeqCst);
        let answer = self.provider.charge(charge).await;
        self.current.fetch_sub(1, Ordering::SeqCst);
        answer
    }
}

/// What was published, and in which trace.
#[derive(Default)]
pub(crate) struct Topic {
    published: Mutex<Vec<(SettledPayment, Option<String>)>>,
    /// Whether the broker is away.
    pub(crate) away: AtomicBool,
}

impl Topic {
    pub(crate) fn events(&self) -> Vec<SettledPayment> {
        self.published
            .lock()
            .unwrap()
            .iter()
            .map(|(event, _)| event.clone())
            .collect()
    }

    pub(crate) fn trace_ids(&self) -> Vec<Option<String>> {
        self.published
            .lock()
            .unwrap()
            .iter()
            .map(|(_, trace_id)| trace_id.clone())
            .collect()
    }
}

#[async_trait]
impl Publish for Topic {
    async fn publish(&self, payment: &SettledPayment) -> Result<(), PublishError> {
        if self.away.load(Ordering::SeqCst) {
            return Err(PublishError::Unavailable("told to be away".into()));
        }
        let trace_id = current_trace_id();
        self.published
            .lock()
            .unwrap()
            .push((payment.clone(), trace_id));
        Ok(())
    }
}
