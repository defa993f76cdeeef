//! Payments on SQLite: a prepared statement per row, in one transaction a call.
//!
//! There is one writer at a time (see [`SqlitePool`]), so what a transaction
//! reads cannot change under it.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chassis::{
    db::{DbError, SqlitePool, statement},
    page::PageRequest,
};
use diesel::{
    OptionalExtension as _, QueryResult, RunQueryDsl as _, SqliteConnection,
    sql_types::{BigInt, Binary, Nullable, SmallInt, Text},
};
use proto::{id::PaymentId, money::Currency, private::PaymentToken, time::UnixMicros};

use super::{
    Claim, Cursor, Filter, Lease, Postponed, Settled, Stats, Store, list,
    rows::{self, HashRow, OpenRow, PaymentRow, open_columns, payment_columns},
    totals::{self, TotalRow},
};
use crate::payment::{Intent, OpenPayment, Payment};

/// As on PostgreSQL: a row that is there changes only its lease.
const CLAIM: &str = concat!(
    "INSERT INTO payments (payment_id, order_id, user_id, amount, currency_code, content_hash,
        order_placed_at, payment_token, traceparent, created_at, status, lease_token, due_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 1, $11, $12)
     ON CONFLICT (payment_id) DO UPDATE
     SET lease_token = excluded.lease_token, due_at = excluded.due_at
     WHERE payments.published_at IS NULL AND payments.content_hash = excluded.content_hash
     RETURNING ",
    open_columns!()
);

const HASH: &str = "SELECT payment_id, content_hash FROM payments WHERE payment_id = $1";

const SETTLE: &str = concat!(
    "UPDATE payments
     SET status = $1, decline_code = $2, provider_reference = $3, settled_at = $4,
        payment_token = NULL
     WHERE payment_id = $5 AND status = 1 AND lease_token = $6
     RETURNING ",
    payment_columns!()
);

const ADD_TO_TOTAL: &str = "
    INSERT INTO payment_totals (shard, currency_code, status, decline_code, payments, amount)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (shard, currency_code, status, decline_code) DO UPDATE
    SET payments = payments + excluded.payments,
        amount = CASE WHEN amount > 9223372036854775807 - excluded.amount
            THEN 9223372036854775807 ELSE amount + excluded.amount END";

const MARK_PUBLISHED: &str = "
    UPDATE payments
    SET published_at = $1, due_at = NULL, lease_token = NULL, traceparent = NULL
    WHERE payment_id = $2 AND status <> 1 AND published_at IS NULL";

const LEASE_DUE: &str = concat!(
    "UPDATE payments SET lease_token = $1, due_at = $2
     WHERE payment_id IN (
        SELECT payment_id FROM payments WHERE due_at <= $3 ORDER BY due_at LIMIT $4)
     RETURNING ",
    open_columns!()
);

const POSTPONE: &str = "
    UPDATE payments SET due_at = $1, sweeps = sweeps + 1
    WHERE payment_id = $2 AND lease_token = $3";

const GET: &str = concat!(
    "SELECT ",
    payment_columns!(),
    " FROM payments WHERE payment_id = $1"
);

/// Payments on SQLite.
pub(super) struct SqliteStore {
    pool: SqlitePool,
}

impl SqliteStore {
    pub(super) fn new(pool: SqlitePool) -> Self {
        Self { pool }
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn claim(&self, intents: Vec<(Intent, Lease)>) -> Result<Vec<Claim>, DbError> {
        self.pool
            .transaction(move |connection| {
                let now = UnixMicros::now().as_micros();
                intents
                    .iter()
                    .map(|(intent, lease)| claim(connection, intent, *lease, now))
                    .collect()
            })
            .await
    }

    async fn settle(&self, settled: Vec<(Settled, Lease)>) -> Result<Vec<bool>, DbError> {
        let [(_, first), ..] = settled.as_slice() else {
            return Ok(Vec::new());
        };
        let shard = totals::shard(*first);
        self.pool
            .transaction(move |connection| {
                let mut ours = Vec::with_capacity(settled.len());
                let mut totals = BTreeMap::new();
                for (one, lease) in &settled {
                    let payment = settle(connection, one, *lease)?;
                    ours.push(payment.is_some());
                    if let Some(payment) = payment {
                        let codes = rows::codes(one.outcome.result);
                        let key = (payment.amount.currency, codes);
                        let (payments, amount) = totals.entry(key).or_insert((0_i64, 0_i64));
                        *payments += 1;
                        *amount = amount.saturating_add(payment.amount.minor);
                    }
                }
                for (key, total) in totals {
                    add_to_total(connection, shard, key, total)?;
                }
                Ok(ours)
            })
            .await
    }

    async fn mark_published(&self, payments: Vec<PaymentId>) -> Result<(), DbError> {
        self.pool
            .transaction(move |connection| {
                let now = UnixMicros::now().as_micros();
                for payment_id in &payments {
                    statement(MARK_PUBLISHED)
                        .bind::<BigInt, _>(now)
                        .bind::<Binary, _>(bytes(payment_id))
                        .execute(connection)?;
                }
                Ok(())
            })
            .await
    }

    async fn lease_due(&self, lease: Lease, limit: usize) -> Result<Vec<OpenPayment>, DbError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows: Vec<OpenRow> = self
            .pool
            .transaction(move |connection| {
                statement(LEASE_DUE)
                    .bind::<Binary, _>(lease.token.as_bytes().as_slice())
                    .bind::<BigInt, _>(lease.until.as_micros())
                    .bind::<BigInt, _>(UnixMicros::now().as_micros())
                    .bind::<BigInt, _>(limit)
                    .load(connection)
            })
            .await?;
        Ok(rows.into_iter().map(|row| row.0).collect())
    }

    async fn postpone(&self, postponed: Vec<Postponed>, lease: Lease) -> Result<(), DbError> {
        self.pool
            .transaction(move |connection| {
                for one in &postponed {
                    statement(POSTPONE)
                        .bind::<Nullable<BigInt>, _>(one.due_at.map(UnixMicros::as_micros))
                        .bind::<Binary, _>(bytes(&one.payment_id))
                        .bind::<Binary, _>(lease.token.as_bytes().as_slice())
                        .execute(connection)?;
                }
                Ok(())
            })
            .await
    }

    async fn get(&self, payments: Vec<PaymentId>) -> Result<Vec<Payment>, DbError> {
        self.pool
            .read(move |connection| {
                let mut found = Vec::with_capacity(payments.len());
                for payment_id in &payments {
                    let row: Option<PaymentRow> = statement(GET)
                        .bind::<Binary, _>(bytes(payment_id))
                        .get_result(connection)
                        .optional()?;
                    found.extend(row.map(|row| row.0));
                }
                Ok(found)
            })
            .await
    }

    async fn list(
        &self,
        filter: Filter,
        page: &PageRequest<Cursor>,
    ) -> Result<Vec<Payment>, DbError> {
        let after = page.after.unwrap_or(Cursor::NEWEST);
        let count = page.rows_to_read();
        let rows: Vec<PaymentRow> = self
            .pool
            .read(move |connection| {
                let payment_id = after.payment_id.as_bytes().as_slice();
                match filter.user_id {
                    Some(user_id) => statement(list::OF_USER)
                        .bind::<BigInt, _>(after.created_at)
                        .bind::<Binary, _>(payment_id)
                        .bind::<BigInt, _>(user_id.get())
                        .bind::<SmallInt, _>(filter.status_code())
                        .bind::<BigInt, _>(count)
                        .load(connection),
                    None => statement(list::of_all(filter.status))
                        .bind::<BigInt, _>(after.created_at)
                        .bind::<Binary, _>(payment_id)
                        .bind::<BigInt, _>(count)
                        .load(connection),
                }
            })
            .await?;
        Ok(rows.into_iter().map(|row| row.0).collect())
    }

    async fn stats(&self) -> Result<Stats, DbError> {
        let rows: Vec<TotalRow> = self
            .pool
            .read(|connection| statement(totals::READ).load(connection))
            .await?;
        Ok(Stats::sum(rows))
    }
}

fn bytes(payment_id: &PaymentId) -> &[u8] {
    payment_id.as_uuid().as_bytes()
}

fn claim(
    connection: &mut SqliteConnection,
    intent: &Intent,
    lease: Lease,
    now: i64,
) -> QueryResult<Claim> {
    let open: Option<OpenRow> = statement(CLAIM)
        .bind::<Binary, _>(bytes(&intent.payment_id))
        .bind::<Binary, _>(intent.order_id.as_uuid().as_bytes().as_slice())
        .bind::<BigInt, _>(intent.user_id.get())
        .bind::<BigInt, _>(intent.amount.minor)
        .bind::<Text, _>(intent.amount.currency.code())
        .bind::<Binary, _>(intent.content_hash.0.as_slice())
        .bind::<BigInt, _>(intent.order_placed_at.as_micros())
        .bind::<Nullable<Text>, _>(intent.token.as_ref().map(PaymentToken::expose))
        .bind::<Nullable<Text>, _>(intent.traceparent.as_deref())
        .bind::<BigInt, _>(now)
        .bind::<Binary, _>(lease.token.as_bytes().as_slice())
        .bind::<BigInt, _>(lease.until.as_micros())
        .get_result(connection)
        .optional()?;
    if let Some(OpenRow(payment)) = open {
        return Ok(Claim::Open(Box::new(payment)));
    }
    let there: HashRow = statement(HASH)
        .bind::<Binary, _>(bytes(&intent.payment_id))
        .get_result(connection)?;
    Ok(if there.content_hash == intent.content_hash.0 {
        Claim::Published
    } else {
        Claim::Conflict
    })
}

fn settle(
    connection: &mut SqliteConnection,
    settled: &Settled,
    lease: Lease,
) -> QueryResult<Option<Payment>> {
    let (status, decline_code) = rows::codes(settled.outcome.result);
    let row: Option<PaymentRow> = statement(SETTLE)
        .bind::<SmallInt, _>(status)
        .bind::<SmallInt, _>(decline_code)
        .bind::<Text, _>(settled.outcome.provider_reference.as_str())
        .bind::<BigInt, _>(settled.outcome.settled_at.as_micros())
        .bind::<Binary, _>(bytes(&settled.payment_id))
        .bind::<Binary, _>(lease.token.as_bytes().as_slice())
        .get_result(connection)
        .optional()?;
    Ok(row.map(|row| row.0))
}

fn add_to_total(
    connection: &mut SqliteConnection,
    shard: i16,
    (currency, (status, decline_code)): (Currency, (i16, i16)),
    (payments, amount): (i64, i64),
) -> QueryResult<()> {
    statement(ADD_TO_TOTAL)
        .bind::<SmallInt, _>(shard)
        .bind::<Text, _>(currency.code())
        .bind::<SmallInt, _>(status)
        .bind::<SmallInt, _>(decline_code)
        .bind::<BigInt, _>(payments)
        .bind::<BigInt, _>(amount)
        .execute(connection)
        .map(drop)
}
