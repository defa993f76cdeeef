//! Claims, settlements and marks of all partitions, in few transactions.
//!
//! Each row has a lease of its own, so those of several callers can stand in one
//! statement; what the store promises holds as without this.

use std::sync::Arc;

use async_trait::async_trait;
use chassis::{
    db::{DbError, GATHER, Together},
    page::PageRequest,
};
use proto::id::PaymentId;

use super::{Claim, Cursor, Filter, Lease, Postponed, Settled, Stats, Store};
use crate::payment::{Intent, OpenPayment, Payment};

/// A store to which callers come together. So many payments make a transaction that
/// is full.
pub fn gathered(store: Arc<dyn Store>, full: usize) -> Arc<dyn Store> {
    Arc::new(Gathered {
        store,
        claims: Together::new(full, GATHER),
        settlements: Together::new(full, GATHER),
        marks: Together::new(full, GATHER),
    })
}

struct Gathered {
    store: Arc<dyn Store>,
    claims: Together<(Intent, Lease), Claim>,
    settlements: Together<(Settled, Lease), bool>,
    marks: Together<PaymentId, ()>,
}

#[async_trait]
impl Store for Gathered {
    async fn claim(&self, intents: Vec<(Intent, Lease)>) -> Result<Vec<Claim>, DbError> {
        let weight = intents.len();
        let claim = |intents| self.store.claim(intents);
        self.claims.run(intents, weight, claim).await
    }

    async fn settle(&self, settled: Vec<(Settled, Lease)>) -> Result<Vec<bool>, DbError> {
        let weight = settled.len();
        let settle = |settled| self.store.settle(settled);
        self.settlements.run(settled, weight, settle).await
    }

    async fn mark_published(&self, payments: Vec<PaymentId>) -> Result<(), DbError> {
        let weight = payments.len();
        let mark = async |payments: Vec<PaymentId>| {
            let marked = vec![(); payments.len()];
            self.store.mark_published(payments).await.map(|()| marked)
        };
        self.marks.run(payments, weight, mark).await.map(drop)
    }

    async fn lease_due(&self, lease: Lease, limit: usize) -> Result<Vec<OpenPayment>, DbError> {
        self.store.lease_due(lease, limit).await
    }

    async fn postpone(&self, postponed: Vec<Postponed>, lease: Lease) -> Result<(), DbError> {
        self.store.postpone(postponed, lease).await
    }

    async fn get(&self, payments: Vec<PaymentId>) -> Result<Vec<Payment>, DbError> {
        self.store.get(payments).await
    }

    async fn list(
        &self,
        filter: Filter,
        page: &PageRequest<Cursor>,
    ) -> Result<Vec<Payment>, DbError> {
        self.store.list(filter, page).await
    }

    async fn stats(&self) -> Result<Stats, DbError> {
        self.store.stats().await
    }
}
