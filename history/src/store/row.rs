//! Rows, as both databases give them.

use std::error::Error as StdError;

use diesel::{
    QueryResult, QueryableByName,
    result::Error as DieselError,
    sql_types::{BigInt, Binary, Integer, Nullable, Text},
};
use proto::{event::ContentHash, id::OrderId, time::UnixMicros};
use uuid::Uuid;

use super::{StoredOrder, lines};
use crate::{fact::Outcome, trace::TraceId};

/// Reads orders with their outcomes; what to read, and how sorted, follows.
macro_rules! select_orders {
    ($condition:literal) => {
        concat!(
            "SELECT o.order_id, o.user_id, o.total, o.placed_at, o.stored_at,
                    o.currency_code, o.lines, o.content_hash, o.trace_id,
                    p.settled_at, p.decline_code
             FROM orders o LEFT JOIN payment_outcomes p USING (order_id) ",
            $condition
        )
    };
}
pub(super) use select_orders;

/// An order's columns, without its id: only PostgreSQL has a type for that.
#[derive(Debug, QueryableByName)]
pub(super) struct OrderColumns {
    #[diesel(sql_type = BigInt)]
    user_id: i64,
    #[diesel(sql_type = BigInt)]
    total: i64,
    #[diesel(sql_type = BigInt)]
    placed_at: i64,
    #[diesel(sql_type = BigInt)]
    stored_at: i64,
    #[diesel(sql_type = Text)]
    currency_code: String,
    #[diesel(sql_type = Binary)]
    lines: Vec<u8>,
    #[diesel(sql_type = Binary)]
    content_hash: Vec<u8>,
    #[diesel(sql_type = Nullable<Binary>)]
    trace_id: Option<Vec<u8>>,
    #[diesel(sql_type = Nullable<BigInt>)]
    settled_at: Option<i64>,
    #[diesel(sql_type = Nullable<Integer>)]
    decline_code: Option<i32>,
}

impl OrderColumns {
    pub(super) fn order(self, order_id: Uuid) -> QueryResult<StoredOrder> {
        Ok(StoredOrder {
            order_id: OrderId::from_uuid(order_id),
            user_id: self.user_id,
            lines: lines::decode(&self.lines).map_err(damaged)?,
            currency_code: self.currency_code,
            total: self.total,
            placed_at: UnixMicros::from_micros(self.placed_at),
            stored_at: UnixMicros::from_micros(self.stored_at),
            content_hash: content_hash(&self.content_hash)?,
            trace_id: match self.trace_id {
                Some(bytes) => Some(TraceId::from_bytes(exactly(&bytes)?)),
                None => None,
            },
            outcome: self
                .settled_at
                .map(|settled_at| outcome(settled_at, self.decline_code)),
        })
    }
}

pub(super) fn outcome(settled_at: i64, decline_code: Option<i32>) -> Outcome {
    Outcome {
        decline_code,
        settled_at: UnixMicros::from_micros(settled_at),
    }
}

pub(super) fn content_hash(bytes: &[u8]) -> QueryResult<ContentHash> {
    exactly(bytes).map(ContentHash)
}

/// Bytes whose number the schema fixes.
fn exactly<const N: usize>(bytes: &[u8]) -> QueryResult<[u8; N]> {
    bytes.try_into().map_err(damaged)
}

/// A column holds what we never wrote.
pub(super) fn damaged(error: impl StdError + Send + Sync + 'static) -> DieselError {
    DieselError::DeserializationError(Box::new(error))
}
