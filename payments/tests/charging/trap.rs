//! Points at which a process can be made to die or to freeze.
//!
//! Every await of a charge's way has one before and one after it, so a future
//! that is dropped in a trap left exactly what a killed process leaves.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use chassis::{db::DbError, kafka::PublishError, page::PageRequest};
use payments::{
    payment::{Intent, OpenPayment, Payment},
    provider::{Answer, Charge, ChargeError, PaymentProvider},
    publish::Publish,
    store::{Claim, Cursor, Filter, Lease, Postponed, Settled, Stats, Store},
};
use proto::{event::SettledPayment, id::PaymentId};
use tokio::sync::Notify;

/// Where a process is on a payment's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Point {
    BeforeClaim,
    AfterClaim,
    BeforeCharge,
    AfterCharge,
    BeforeSettlement,
    AfterSettlement,
    BeforePublication,
    AfterPublication,
    BeforeMark,
    AfterMark,
}

impl Point {
    pub(crate) const ALL: [Self; 10] = [
        Self::BeforeClaim,
        Self::AfterClaim,
        Self::BeforeCharge,
        Self::AfterCharge,
        Self::BeforeSettlement,
        Self::AfterSettlement,
        Self::BeforePublication,
        Self::AfterPublication,
        Self::BeforeMark,
        Self::AfterMark,
    ];
}

/// Stops the first that comes to its point.
#[derive(Debug)]
pub(crate) struct Trap {
    at: Point,
    set: AtomicBool,
    sprung: Notify,
    released: Notify,
}

impl Trap {
    pub(crate) fn at(point: Point) -> Arc<Self> {
        Arc::new(Self {
            at: point,
            set: AtomicBool::new(true),
            sprung: Notify::new(),
            released: Notify::new(),
        })
    }

    /// Waits until somebody is in it.
    pub(crate) async fn sprung(&self) {
        self.sprung.notified().await;
    }

    /// Lets them go on.
    pub(crate) fn release(&self) {
        self.released.notify_one();
    }

    async fn pass(&self, point: Point) {
        if point == self.at && self.set.swap(false, Ordering::SeqCst) {
            self.sprung.notify_one();
            self.released.notified().await;
        }
    }
}

/// A store, a provider or a publisher with a trap on the way to it and back.
pub(crate) struct Trapped<T: ?Sized> {
    pub(crate) inner: Arc<T>,
    pub(crate) trap: Arc<Trap>,
}

#[async_trait]
impl Store for Trapped<dyn Store> {
    async fn claim(&self, intents: Vec<(Intent, Lease)>) -> Result<Vec<Claim>, DbError> {
        self.trap.pass(Point::BeforeClaim).await;
        let claims = self.inner.claim(intents).await;
        self.trap.pass(Point::AfterClaim).await;
        claims
    }

    async fn settle(&self, settled: Vec<(Settled, Lease)>) -> Result<Vec<bool>, DbError> {
        self.trap.pass(Point::BeforeSettlement).await;
        let ours = self.inner.settle(settled).await;
        self.trap.pass(Point::AfterSettlement).await;
        ours
    }

    async fn mark_published(&self, payments: Vec<PaymentId>) -> Result<(), DbError> {
        self.trap.pass(Point::BeforeMark).await;
        let marked = self.inner.mark_published(payments).await;
        self.trap.pass(Point::AfterMark).await;
        marked
    }

    async fn lease_due(&self, lease: Lease, limit: usize) -> Result<Vec<OpenPayment>, DbError> {
        self.inner.lease_due(lease, limit).await
    }

    async fn postpone(&self, postponed: Vec<Postponed>, lease: Lease) -> Result<(), DbError> {
        self.inner.postpone(postponed, lease).await
    }

    async fn get(&self, payments: Vec<PaymentId>) -> Result<Vec<Payment>, DbError> {
        self.inner.get(payments).await
    }

    async fn list(
        &self,
        filter: Filter,
        page: &PageRequest<Cursor>,
    ) -> Result<Vec<Payment>, DbError> {
        self.inner.list(filter, page).await
    }

    async fn stats(&self) -> Result<Stats, DbError> {
        self.inner.stats().await
    }
}

#[async_trait]
impl PaymentProvider for Trapped<dyn PaymentProvider> {
    async fn charge(&self, charge: Charge<'_>) -> Result<Answer, ChargeError> {
        self.trap.pass(Point::BeforeCharge).await;
        let answer = self.inner.charge(charge).await;
        self.trap.pass(Point::AfterCharge).await;
        answer
    }
}

#[async_trait]
impl Publish for Trapped<dyn Publish> {
    async fn publish(&self, payment: &SettledPayment) -> Result<(), PublishError> {
        self.trap.pass(Point::BeforePublication).await;
        let published = self.inner.publish(payment).await;
        self.trap.pass(Point::AfterPublication).await;
        published
    }
}
