//! Payments on PostgreSQL: one statement a call, a transaction by itself.
//!
//! What every payment passes stands in files of its own: the bench runs the same
//! flat out, as this service's limit.
//!
//! Rows of a batch are written in the order of their ids, so two batches wait
//! for each other rather than deadlock.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use chassis::{
    db::{DbError, PgPool, statement},
    page::PageRequest,
};
use diesel::sql_types::{Array, BigInt, Binary, Nullable, SmallInt, Text, Uuid as UuidSql};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use proto::{id::PaymentId, private::PaymentToken, time::UnixMicros};
use uuid::Uuid;

use super::{
    Claim, Cursor, Filter, Lease, Postponed, Settled, Stats, Store, list,
    rows::{self, HashRow, OpenRow, PaymentRow, SettledRow, open_columns, payment_columns},
    totals::{self, TotalRow},
};
use crate::payment::{Intent, OpenPayment, Payment};

/// A row that is there already changes only its lease, and only while it is
/// open; such a row is returned as it stands now, not as the intent has it.
const CLAIM: &str = concat!(include_str!("claim.sql"), open_columns!());

const HASHES: &str = "SELECT payment_id, content_hash FROM payments WHERE payment_id = ANY($1)";

const SETTLE: &str = include_str!("settle.sql");

const MARK_PUBLISHED: &str = include_str!("mark_published.sql");

/// `ARRAY(…)` is worked out once, before the update: a plain `IN (…)` may be
/// worked out again for each row, and then lock more than `LIMIT` says.
const LEASE_DUE: &str = concat!(
    "UPDATE payments SET lease_token = $1, due_at = $2
     WHERE payment_id = ANY (ARRAY(
        SELECT payment_id FROM payments WHERE due_at <= $3
        ORDER BY due_at LIMIT $4 FOR UPDATE SKIP LOCKED))
     RETURNING ",
    open_columns!()
);

const POSTPONE: &str = "
    UPDATE payments SET due_at = postponed.due_at, sweeps = sweeps + 1
    FROM unnest($1::uuid[], $2::bigint[]) AS postponed (payment_id, due_at)
    WHERE payments.payment_id = postponed.payment_id AND lease_token = $3";

const GET: &str = concat!(
    "SELECT ",
    payment_columns!(),
    " FROM payments WHERE payment_id = ANY($1)"
);

/// Payments on PostgreSQL.
pub(super) struct PgStore {
    pool: PgPool,
}

impl PgStore {
    pub(super) fn new(pool: PgPool) -> Self {
        Self { pool }
    }
}

/// Intents as one array a column, in the order of their ids.
struct Columns<'i> {
    payment_ids: Vec<Uuid>,
    order_ids: Vec<Uuid>,
    user_ids: Vec<i64>,
    amounts: Vec<i64>,
    currency_codes: Vec<&'static str>,
    content_hashes: Vec<&'i [u8]>,
    order_placed_at: Vec<i64>,
    tokens: Vec<Option<&'i str>>,
    traceparents: Vec<Option<&'i str>>,
    lease_tokens: Vec<Uuid>,
    due_at: Vec<i64>,
}

impl<'i> Columns<'i> {
    fn of(intents: &'i [(Intent, Lease)]) -> Self {
        let mut sorted: Vec<&(Intent, Lease)> = intents.iter().collect();
        sorted.sort_unstable_by_key(|(intent, _)| intent.payment_id);
        let intents: Vec<&Intent> = sorted.iter().map(|(intent, _)| intent).collect();
        let leases: Vec<&Lease> = sorted.iter().map(|(_, lease)| lease).collect();
        Self {
            payment_ids: column(&intents, |intent| *intent.payment_id.as_uuid()),
            order_ids: column(&intents, |intent| *intent.order_id.as_uuid()),
            user_ids: column(&intents, |intent| intent.user_id.get()),
            amounts: column(&intents, |intent| intent.amount.minor),
            currency_codes: column(&intents, |intent| intent.amount.currency.code()),
            content_hashes: column(&intents, |intent| intent.content_hash.0.as_slice()),
            order_placed_at: column(&intents, |intent| intent.order_placed_at.as_micros()),
            tokens: column(&intents, |intent| {
                intent.token.as_ref().map(PaymentToken::expose)
            }),
            traceparents: column(&intents, |intent| intent.traceparent.as_deref()),
            lease_tokens: column(&leases, |lease| lease.token),
            due_at: column(&leases, |lease| lease.until.as_micros()),
        }
    }
}

fn column<'r, Row, T>(rows: &[&'r Row], value: impl Fn(&'r Row) -> T) -> Vec<T> {
    rows.iter().map(|row| value(row)).collect()
}

#[async_trait]
impl Store for PgStore {
    async fn claim(&self, intents: Vec<(Intent, Lease)>) -> Result<Vec<Claim>, DbError> {
        let columns = Columns::of(&intents);
        let now = UnixMicros::now().as_micros();
        let open: Vec<OpenRow> = self
            .pool
            .write(async |connection: &mut AsyncPgConnection| {
                statement(CLAIM)
                    .bind::<Array<UuidSql>, _>(&columns.payment_ids)
                    .bind::<Array<UuidSql>, _>(&columns.order_ids)
                    .bind::<Array<BigInt>, _>(&columns.user_ids)
                    .bind::<Array<BigInt>, _>(&columns.amounts)
                    .bind::<Array<Text>, _>(&columns.currency_codes)
                    .bind::<Array<Binary>, _>(&columns.content_hashes)
                    .bind::<Array<BigInt>, _>(&columns.order_placed_at)
                    .bind::<Array<Nullable<Text>>, _>(&columns.tokens)
                    .bind::<Array<Nullable<Text>>, _>(&columns.traceparents)
                    .bind::<Array<UuidSql>, _>(&columns.lease_tokens)
                    .bind::<Array<BigInt>, _>(&columns.due_at)
                    .bind::<BigInt, _>(now)
                    .load(connection)
                    .await
            })
            .await?;
        if open.len() == columns.payment_ids.len() {
            return Ok(claims(&intents, open, Vec::new()));
        }
        // Whatever was not claimed is there for good, and its hash never changes.
        let hashes = self
            .pool
            .read(async |connection: &mut AsyncPgConnection| {
                statement(HASHES)
                    .bind::<Array<UuidSql>, _>(&columns.payment_ids)
                    .load(connection)
                    .await
            })
            .await?;
        Ok(claims(&intents, open, hashes))
    }

    async fn settle(&self, settled: Vec<(Settled, Lease)>) -> Result<Vec<bool>, DbError> {
        let [(_, first), ..] = settled.as_slice() else {
            return Ok(Vec::new());
        };
        let shard = totals::shard(*first);
        let mut sorted: Vec<&(Settled, Lease)> = settled.iter().collect();
        sorted.sort_unstable_by_key(|(one, _)| one.payment_id);
        let ids = column(&sorted, |(one, _)| *one.payment_id.as_uuid());
        let (statuses, decline_codes): (Vec<i16>, Vec<i16>) = sorted
            .iter()
            .map(|(one, _)| rows::codes(one.outcome.result))
            .unzip();
        let references = column(&sorted, |(one, _)| one.outcome.provider_reference.as_str());
        let times = column(&sorted, |(one, _)| one.outcome.settled_at.as_micros());
        let leases = column(&sorted, |(_, lease)| lease.token);
        let rows: Vec<SettledRow> = self
            .pool
            .write(async |connection: &mut AsyncPgConnection| {
                statement(SETTLE)
                    .bind::<Array<UuidSql>, _>(&ids)
                    .bind::<Array<SmallInt>, _>(&statuses)
                    .bind::<Array<SmallInt>, _>(&decline_codes)
                    .bind::<Array<Text>, _>(&references)
                    .bind::<Array<BigInt>, _>(&times)
                    .bind::<Array<UuidSql>, _>(&leases)
                    .bind::<SmallInt, _>(shard)
                    .load(connection)
                    .await
            })
            .await?;
        // Two may come with one payment, and one of them had its lease.
        let ours: HashSet<(PaymentId, Uuid)> = rows
            .into_iter()
            .map(|row| (row.payment_id, row.lease_token))
            .collect();
        Ok(settled
            .iter()
            .map(|(one, lease)| ours.contains(&(one.payment_id, lease.token)))
            .collect())
    }

    async fn mark_published(&self, payments: Vec<PaymentId>) -> Result<(), DbError> {
        let ids = uuids(&payments);
        let now = UnixMicros::now().as_micros();
        self.pool
            .write(async |connection: &mut AsyncPgConnection| {
                statement(MARK_PUBLISHED)
                    .bind::<Array<UuidSql>, _>(&ids)
                    .bind::<BigInt, _>(now)
                    .execute(connection)
                    .await
                    .map(drop)
            })
            .await
    }

    async fn lease_due(&self, lease: Lease, limit: usize) -> Result<Vec<OpenPayment>, DbError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let now = UnixMicros::now().as_micros();
        let rows: Vec<OpenRow> = self
            .pool
            .write(async |connection: &mut AsyncPgConnection| {
                statement(LEASE_DUE)
                    .bind::<UuidSql, _>(lease.token)
                    .bind::<BigInt, _>(lease.until.as_micros())
                    .bind::<BigInt, _>(now)
                    .bind::<BigInt, _>(limit)
                    .load(connection)
                    .await
            })
            .await?;
        Ok(rows.into_iter().map(|row| row.0).collect())
    }

    async fn postpone(&self, postponed: Vec<Postponed>, lease: Lease) -> Result<(), DbError> {
        let ids: Vec<Uuid> = postponed
            .iter()
            .map(|one| *one.payment_id.as_uuid())
            .collect();
        let times: Vec<Option<i64>> = postponed
            .iter()
            .map(|one| one.due_at.map(UnixMicros::as_micros))
            .collect();
        self.pool
            .write(async |connection: &mut AsyncPgConnection| {
                statement(POSTPONE)
                    .bind::<Array<UuidSql>, _>(&ids)
                    .bind::<Array<Nullable<BigInt>>, _>(&times)
                    .bind::<UuidSql, _>(lease.token)
                    .execute(connection)
                    .await
                    .map(drop)
            })
            .await
    }

    async fn get(&self, payments: Vec<PaymentId>) -> Result<Vec<Payment>, DbError> {
        let ids = uuids(&payments);
        let rows: Vec<PaymentRow> = self
            .pool
            .read(async |connection: &mut AsyncPgConnection| {
                statement(GET)
                    .bind::<Array<UuidSql>, _>(&ids)
                    .load(connection)
                    .await
            })
            .await?;
        Ok(rows.into_iter().map(|row| row.0).collect())
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
            .read(
                async |connection: &mut AsyncPgConnection| match filter.user_id {
                    Some(user_id) => {
                        statement(list::OF_USER)
                            .bind::<BigInt, _>(after.created_at)
                            .bind::<UuidSql, _>(after.payment_id)
                            .bind::<BigInt, _>(user_id.get())
                            .bind::<SmallInt, _>(filter.status_code())
                            .bind::<BigInt, _>(count)
                            .load(connection)
                            .await
                    }
                    None => {
                        statement(list::of_all(filter.status))
                            .bind::<BigInt, _>(after.created_at)
                            .bind::<UuidSql, _>(after.payment_id)
                            .bind::<BigInt, _>(count)
                            .load(connection)
                            .await
                    }
                },
            )
            .await?;
        Ok(rows.into_iter().map(|row| row.0).collect())
    }

    async fn stats(&self) -> Result<Stats, DbError> {
        let rows: Vec<TotalRow> = self
            .pool
            .read(async |connection: &mut AsyncPgConnection| {
                statement(totals::READ).load(connection).await
            })
            .await?;
        Ok(Stats::sum(rows))
    }
}

fn uuids(payments: &[PaymentId]) -> Vec<Uuid> {
    payments.iter().map(|payment| *payment.as_uuid()).collect()
}

/// An intent that was not returned as open found a row that is published, or one
/// with other content.
fn claims(intents: &[(Intent, Lease)], open: Vec<OpenRow>, hashes: Vec<HashRow>) -> Vec<Claim> {
    let mut open: HashMap<PaymentId, OpenPayment> = open
        .into_iter()
        .map(|OpenRow(row)| (row.payment.payment_id, row))
        .collect();
    let hashes: HashMap<PaymentId, Vec<u8>> = hashes
        .into_iter()
        .map(|row| (row.payment_id, row.content_hash))
        .collect();
    intents
        .iter()
        .map(|(intent, _)| match open.remove(&intent.payment_id) {
            Some(payment) => Claim::Open(Box::new(payment)),
            None => match hashes.get(&intent.payment_id) {
                Some(hash) if *hash == intent.content_hash.0 => Claim::Published,
                _ => Claim::Conflict,
            },
        })
        .collect()
}
