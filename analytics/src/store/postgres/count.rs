//! One batch, within its transaction.

use std::collections::HashSet;

use chassis::{
    db::statement,
    fault::{self, Mistake},
};
use diesel::{
    QueryResult, QueryableByName,
    sql_types::{Array, Integer, Uuid as PgUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use uuid::Uuid;

use super::{halves, upsert};
use crate::{batch::Batch, tally::Tally};

/// Returns the ids that were not there. Where another transaction is inserting
/// the same one, this waits for its end.
const INSERT_IDS: &str = "
    INSERT INTO inbox (id, seen_day)
    SELECT id, $1 FROM unnest($2::uuid[]) AS batch (id)
    ON CONFLICT (id) DO NOTHING
    RETURNING id";

#[derive(QueryableByName)]
struct IdRow {
    #[diesel(sql_type = PgUuid)]
    id: Uuid,
}

/// Counts what is new in a batch, and returns the ids of that. Tables come
/// in the order of the migration.
pub(super) async fn batch(
    connection: &mut AsyncPgConnection,
    batch: &Batch,
) -> QueryResult<HashSet<Uuid>> {
    let rows: Vec<IdRow> = statement(INSERT_IDS)
        .bind::<Integer, _>(batch.day().number())
        .bind::<Array<PgUuid>, _>(batch.ids())
        .load(connection)
        .await?;
    let mut new: HashSet<Uuid> = rows.into_iter().map(|row| row.id).collect();
    if fault::makes(Mistake::ForgottenIds) {
        new.extend(batch.ids());
    }
    if new.is_empty() {
        return Ok(new);
    }
    let mut tally = Tally::of(batch.only(&new), batch.funnel_days());
    halves::join(connection, &mut tally, batch.day()).await?;

    let shard = batch.shard().number();
    upsert::funnel(connection, &tally.stages, shard).await?;
    upsert::totals(connection, &tally.totals, shard, batch.counted_at()).await?;
    upsert::rates(connection, &tally.rates, shard).await?;
    upsert::products(connection, &tally.products, shard).await?;
    upsert::revenue(connection, &tally.revenue, shard).await?;
    upsert::pairs(connection, &tally.pairs, shard).await?;
    upsert::users(connection, &tally.users, shard).await?;
    upsert::actions(connection, &tally.actions, shard).await?;
    Ok(new)
}
