//! Orders in SQLite.
//!
//! A statement costs no round trip here, so a batch is a loop over prepared
//! statements within its transaction. One connection writes at a time, so what
//! an insertion leaves out is committed and can be looked up at once.

use async_trait::async_trait;
use chassis::db::{DbError, SqlitePool, statement};
use diesel::{
    QueryResult, QueryableByName, RunQueryDsl as _, SqliteConnection,
    sql_types::{BigInt, Binary, Integer, Nullable, Text},
};
use proto::{
    event::ContentHash,
    id::{OrderId, UserId},
    time::UnixMicros,
};
use uuid::Uuid;

use super::{
    Position, Store, StoredOrder, Verdict,
    batch::{Batch, Standing},
    lines,
    row::{self, OrderColumns, select_orders},
};
use crate::fact::{Fact, NewOrder, NewOutcome, Outcome};

const INSERT_ORDER: &str = "
    INSERT INTO orders (order_id, user_id, total, placed_at, stored_at,
                        currency_code, lines, content_hash, trace_id)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (order_id) DO NOTHING";

const STANDING_ORDER: &str = "SELECT content_hash FROM orders WHERE order_id = ?";

const INSERT_OUTCOME: &str = "
    INSERT INTO payment_outcomes (order_id, settled_at, decline_code)
    VALUES (?, ?, ?)
    ON CONFLICT (order_id) DO NOTHING";

const STANDING_OUTCOME: &str = "
    SELECT settled_at, decline_code FROM payment_outcomes WHERE order_id = ?";

const SELECT_BY_ID: &str = select_orders!("WHERE o.order_id = ?");

const SELECT_ALL: &str = select_orders!(
    "WHERE (o.placed_at, o.order_id) < (?, ?)
     ORDER BY o.placed_at DESC, o.order_id DESC LIMIT ?"
);

const SELECT_BY_USER: &str = select_orders!(
    "WHERE o.user_id = ? AND (o.placed_at, o.order_id) < (?, ?)
     ORDER BY o.placed_at DESC, o.order_id DESC LIMIT ?"
);

/// Orders in SQLite.
#[derive(Debug)]
pub(super) struct SqliteStore(SqlitePool);

impl SqliteStore {
    pub(super) fn new(pool: SqlitePool) -> Self {
        Self(pool)
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn apply(
        &self,
        facts: Vec<Fact>,
        stored_at: UnixMicros,
    ) -> Result<Vec<Verdict>, DbError> {
        self.0
            .transaction(move |connection| {
                let batch = Batch::new(&facts);
                let mut before = Standing::default();
                for order in batch.orders() {
                    if let Some(hash) = insert_order(connection, order, stored_at)? {
                        before.orders.insert(order.order_id, hash);
                    }
                }
                for new in batch.outcomes() {
                    if let Some(outcome) = insert_outcome(connection, new)? {
                        before.outcomes.insert(new.order_id, outcome);
                    }
                }
                Ok(batch.verdicts(&before))
            })
            .await
    }

    async fn orders(&self, ids: &[OrderId]) -> Result<Vec<StoredOrder>, DbError> {
        let mut ids: Vec<Uuid> = ids.iter().map(|id| *id.as_uuid()).collect();
        ids.sort_unstable();
        ids.dedup();
        self.0
            .read(move |connection| {
                let mut found = Vec::with_capacity(ids.len());
                for id in &ids {
                    let rows = statement(SELECT_BY_ID)
                        .bind::<Binary, _>(id.as_bytes().as_slice())
                        .load(connection)?;
                    found.append(&mut orders(rows)?);
                }
                Ok(found)
            })
            .await
    }

    async fn list(
        &self,
        user_id: Option<UserId>,
        after: Position,
        limit: i64,
    ) -> Result<Vec<StoredOrder>, DbError> {
        self.0
            .read(move |connection| {
                let placed_at = after.placed_at.as_micros();
                let order_id = after.order_id.as_uuid().as_bytes().as_slice();
                orders(match user_id {
                    Some(user_id) => statement(SELECT_BY_USER)
                        .bind::<BigInt, _>(user_id.get())
                        .bind::<BigInt, _>(placed_at)
                        .bind::<Binary, _>(order_id)
                        .bind::<BigInt, _>(limit)
                        .load(connection)?,
                    None => statement(SELECT_ALL)
                        .bind::<BigInt, _>(placed_at)
                        .bind::<Binary, _>(order_id)
                        .bind::<BigInt, _>(limit)
                        .load(connection)?,
                })
            })
            .await
    }
}

#[derive(QueryableByName)]
struct OrderRow {
    #[diesel(sql_type = Binary)]
    order_id: Vec<u8>,
    #[diesel(embed)]
    columns: OrderColumns,
}

fn orders(rows: Vec<OrderRow>) -> QueryResult<Vec<StoredOrder>> {
    rows.into_iter()
        .map(|row| {
            let order_id = Uuid::from_slice(&row.order_id).map_err(row::damaged)?;
            row.columns.order(order_id)
        })
        .collect()
}

#[derive(QueryableByName)]
struct StandingOrder {
    #[diesel(sql_type = Binary)]
    content_hash: Vec<u8>,
}

/// Inserts the order if it is absent; otherwise returns what stands there.
fn insert_order(
    connection: &mut SqliteConnection,
    order: &NewOrder,
    stored_at: UnixMicros,
) -> QueryResult<Option<ContentHash>> {
    let order_id = order.order_id.as_uuid().as_bytes().as_slice();
    let inserted = statement(INSERT_ORDER)
        .bind::<Binary, _>(order_id)
        .bind::<BigInt, _>(order.user_id.get())
        .bind::<BigInt, _>(order.total.minor)
        .bind::<BigInt, _>(order.placed_at.as_micros())
        .bind::<BigInt, _>(stored_at.as_micros())
        .bind::<Text, _>(order.total.currency.code())
        .bind::<Binary, _>(lines::encode(&order.lines))
        .bind::<Binary, _>(order.content_hash.0.as_slice())
        .bind::<Nullable<Binary>, _>(order.trace_id.as_ref().map(|id| id.as_bytes().as_slice()))
        .execute(connection)?;
    if inserted == 1 {
        return Ok(None);
    }
    let standing: StandingOrder = statement(STANDING_ORDER)
        .bind::<Binary, _>(order_id)
        .get_result(connection)?;
    row::content_hash(&standing.content_hash).map(Some)
}

#[derive(QueryableByName)]
struct StandingOutcome {
    #[diesel(sql_type = BigInt)]
    settled_at: i64,
    #[diesel(sql_type = Nullable<Integer>)]
    decline_code: Option<i32>,
}

/// As [`insert_order`].
fn insert_outcome(
    connection: &mut SqliteConnection,
    new: &NewOutcome,
) -> QueryResult<Option<Outcome>> {
    let order_id = new.order_id.as_uuid().as_bytes().as_slice();
    let inserted = statement(INSERT_OUTCOME)
        .bind::<Binary, _>(order_id)
        .bind::<BigInt, _>(new.outcome.settled_at.as_micros())
        .bind::<Nullable<Integer>, _>(new.outcome.decline_code)
        .execute(connection)?;
    if inserted == 1 {
        return Ok(None);
    }
    let standing: StandingOutcome = statement(STANDING_OUTCOME)
        .bind::<Binary, _>(order_id)
        .get_result(connection)?;
    Ok(Some(row::outcome(
        standing.settled_at,
        standing.decline_code,
    )))
}

#[cfg(test)]
mod tests {
    use diesel::Connection as _;
    use diesel_migrations::MigrationHarness as _;

    use super::*;

    #[derive(QueryableByName)]
    struct Step {
        #[diesel(sql_type = Text)]
        detail: String,
    }

    fn plan(sql: &str) -> String {
        let mut connection = SqliteConnection::establish(":memory:").unwrap();
        connection
            .run_pending_migrations(crate::store::migrations().sqlite)
            .unwrap();
        let steps: Vec<Step> = diesel::sql_query(format!("EXPLAIN QUERY PLAN {sql}"))
            .load(&mut connection)
            .unwrap();
        let steps: Vec<_> = steps.into_iter().map(|step| step.detail).collect();
        steps.join("\n")
    }

    #[test]
    fn reads_go_by_index_and_lists_come_sorted_from_it() {
        for (sql, index) in [
            (
                SELECT_BY_ID,
                "USING INDEX sqlite_autoindex_orders_1 (order_id=?)",
            ),
            (
                SELECT_ALL,
                "USING INDEX orders_by_time ((placed_at,order_id)<(?,?))",
            ),
            (
                SELECT_BY_USER,
                "USING INDEX orders_by_user (user_id=? AND (placed_at,order_id)<(?,?))",
            ),
        ] {
            let plan = plan(sql);
            assert!(plan.contains(index), "{plan}");
            assert!(
                plan.contains("SEARCH p USING PRIMARY KEY (order_id=?)"),
                "{plan}"
            );
            assert!(
                !plan.contains("SCAN") && !plan.contains("TEMP B-TREE"),
                "{plan}"
            );
        }
    }
}
