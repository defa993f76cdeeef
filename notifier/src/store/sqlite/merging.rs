//! Merges halves of orders, and writes the mails of those that are whole.

use chassis::db::statement;
use diesel::{
    QueryResult, QueryableByName, RunQueryDsl as _, SqliteConnection,
    sql_types::{BigInt, Binary, Integer, Nullable, Text},
};
use proto::{id::OrderId, time::UnixMicros};

use crate::{
    fact::Outcome,
    store::{
        merge::{self, Batch, Pair, Standing, TracedMail},
        row,
    },
};

const MERGE_PLACED: &str = "
    INSERT INTO orders (order_id, user_id, content_hash, placed) VALUES (?, ?, ?, ?)
    ON CONFLICT (order_id) DO UPDATE
      SET content_hash = excluded.content_hash, placed = excluded.placed
      WHERE content_hash IS NULL";

const MERGE_SETTLED: &str = "
    INSERT INTO orders (order_id, user_id, outcome) VALUES (?, ?, ?)
    ON CONFLICT (order_id) DO UPDATE SET outcome = excluded.outcome WHERE outcome IS NULL";

const SELECT_ORDER: &str =
    "SELECT content_hash, placed, outcome, mails FROM orders WHERE order_id = ?";

const INSERT_MAIL: &str = "
    INSERT INTO notifications (notification_id, order_id, user_id, kind, line, recipient,
        message_id, subject, traceparent, created_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (notification_id) DO NOTHING";

const INSERT_BODY: &str = "
    INSERT INTO bodies (notification_id, text_body, html_body) VALUES (?, ?, ?)";

const QUEUE_MAIL: &str = "INSERT INTO outbox (notification_id, due_at) VALUES (?, ?)";

const CLOSE_ORDER: &str = "UPDATE orders SET mails = ?, placed = NULL WHERE order_id = ?";

#[derive(QueryableByName)]
pub(super) struct OrderRow {
    #[diesel(sql_type = Nullable<Binary>)]
    content_hash: Option<Vec<u8>>,
    #[diesel(sql_type = Nullable<Binary>)]
    placed: Option<Vec<u8>>,
    #[diesel(sql_type = Nullable<Integer>)]
    outcome: Option<i32>,
    #[diesel(sql_type = Nullable<Integer>)]
    pub(super) mails: Option<i32>,
}

pub(super) fn order(
    connection: &mut SqliteConnection,
    id: OrderId,
) -> QueryResult<Option<OrderRow>> {
    let mut rows: Vec<OrderRow> = statement(SELECT_ORDER)
        .bind::<Binary, _>(id.as_uuid().as_bytes().as_slice())
        .load(connection)?;
    Ok(rows.pop())
}

pub(super) fn merge_placed(
    connection: &mut SqliteConnection,
    batch: &Batch,
    standing: &mut Standing,
) -> QueryResult<Vec<Pair>> {
    let mut complete = Vec::new();
    for (id, placed) in &batch.placed {
        let taken = statement(MERGE_PLACED)
            .bind::<Binary, _>(id.as_uuid().as_bytes().as_slice())
            .bind::<BigInt, _>(placed.order.user_id.get())
            .bind::<Binary, _>(placed.order.content_hash.0.as_slice())
            .bind::<Binary, _>(merge::encode(&placed.order))
            .execute(connection)?;
        let Some(row) = order(connection, *id)? else {
            continue;
        };
        match (taken, row.outcome, row.content_hash) {
            (0, _, Some(hash)) => {
                standing.hashes.insert(*id, hash);
            }
            (1.., Some(outcome), _) => complete.push(Pair {
                order: placed.order.clone(),
                outcome: Outcome::from_number(outcome),
                traceparent: placed.traceparent.clone(),
            }),
            _ => {}
        }
    }
    Ok(complete)
}

pub(super) fn merge_settled(
    connection: &mut SqliteConnection,
    batch: &Batch,
    standing: &mut Standing,
) -> QueryResult<Vec<Pair>> {
    let mut complete = Vec::new();
    for (id, (settled, traceparent)) in &batch.settled {
        let taken = statement(MERGE_SETTLED)
            .bind::<Binary, _>(id.as_uuid().as_bytes().as_slice())
            .bind::<BigInt, _>(settled.user_id.get())
            .bind::<Integer, _>(settled.outcome.number())
            .execute(connection)?;
        let Some(row) = order(connection, *id)? else {
            continue;
        };
        match (taken, row.outcome, row.placed) {
            (0, Some(outcome), _) => {
                standing.outcomes.insert(*id, Outcome::from_number(outcome));
            }
            (1.., _, Some(placed)) => complete.push(Pair {
                order: row::placed(&placed)?,
                outcome: settled.outcome,
                traceparent: traceparent.clone(),
            }),
            _ => {}
        }
    }
    Ok(complete)
}

pub(super) fn write(
    connection: &mut SqliteConnection,
    mails: &[TracedMail],
    counts: &[(OrderId, i32)],
    now: UnixMicros,
) -> QueryResult<()> {
    for TracedMail { mail, traceparent } in mails {
        let id = mail.id.as_uuid().as_bytes().as_slice();
        let written = statement(INSERT_MAIL)
            .bind::<Binary, _>(id)
            .bind::<Binary, _>(mail.order_id.as_uuid().as_bytes().as_slice())
            .bind::<BigInt, _>(mail.user_id)
            .bind::<Integer, _>(i32::from(mail.kind))
            .bind::<Nullable<Integer>, _>(mail.line.map(i32::from))
            .bind::<Text, _>(mail.recipient.expose())
            .bind::<Text, _>(&mail.message_id)
            .bind::<Text, _>(&mail.content.subject)
            .bind::<Nullable<Text>, _>(traceparent.as_deref())
            .bind::<BigInt, _>(now.as_micros())
            .execute(connection)?;
        if written == 0 {
            continue;
        }
        statement(INSERT_BODY)
            .bind::<Binary, _>(id)
            .bind::<Text, _>(&mail.content.text)
            .bind::<Text, _>(&mail.content.html)
            .execute(connection)?;
        statement(QUEUE_MAIL)
            .bind::<Binary, _>(id)
            .bind::<BigInt, _>(now.as_micros())
            .execute(connection)?;
    }
    for (id, mails) in counts {
        statement(CLOSE_ORDER)
            .bind::<Integer, _>(*mails)
            .bind::<Binary, _>(id.as_uuid().as_bytes().as_slice())
            .execute(connection)?;
    }
    Ok(())
}
