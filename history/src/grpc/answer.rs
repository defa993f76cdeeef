//! Answers.
//!
//! Invariant: no answer is larger than every gRPC client takes by default. A
//! list ends its page early instead; a batch, whose callers chose its size, is
//! refused with that advice.

use chassis::{
    error::{Error, Reason},
    page::PageRequest,
};
use prost::Message as _;
use proto::history::v1::{
    BatchGetOrdersResponse, GetOrderResponse, ListOrdersResponse, Order, OrderStatus,
};

use super::request::Cursor;
use crate::store::StoredOrder;

/// 4 MiB, the limit of gRPC clients in every language, less what stands around
/// the orders. An order is a few hundred bytes as a rule and 84 kB at most, so
/// only dozens of the very largest reach it.
const MAX_ANSWER: usize = 4 * 1024 * 1024 - 4 * 1024;

/// Tag and length of an order within an answer: 1 byte and, for less than 2 MiB,
/// 3 bytes.
const FRAME: usize = 4;

pub(super) fn order(order: StoredOrder) -> GetOrderResponse {
    GetOrderResponse {
        order: Some(order.into()),
    }
}

pub(super) fn batch(orders: Vec<StoredOrder>) -> Result<BatchGetOrdersResponse, Error> {
    let orders: Vec<Order> = orders.into_iter().map(Into::into).collect();
    if fitting(&orders) < orders.len() {
        return Err(Error::new(
            Reason::TooLarge,
            "the answer would be larger than 4 MiB; ask for fewer orders at once",
        ));
    }
    Ok(BatchGetOrdersResponse { orders })
}

pub(super) fn page(mut page: PageRequest<Cursor>, orders: Vec<StoredOrder>) -> ListOrdersResponse {
    let cursors: Vec<Cursor> = orders.iter().map(cursor).collect();
    let orders: Vec<Order> = orders.into_iter().map(Into::into).collect();
    page.size = page.size.min(fitting(&orders).max(1));
    let page = page.page(orders.into_iter().zip(cursors).collect(), |(_, cursor)| {
        *cursor
    });
    ListOrdersResponse {
        orders: page.rows.into_iter().map(|(order, _)| order).collect(),
        next_page_token: page.next_page_token,
    }
}

fn cursor(order: &StoredOrder) -> Cursor {
    (order.placed_at.as_micros(), *order.order_id.as_uuid())
}

/// How many of the orders, from the first on, one answer can hold.
fn fitting(orders: &[Order]) -> usize {
    orders
        .iter()
        .scan(0, |taken, order| {
            *taken += order.encoded_len() + FRAME;
            Some(*taken)
        })
        .take_while(|taken| *taken <= MAX_ANSWER)
        .count()
}

impl From<StoredOrder> for Order {
    fn from(order: StoredOrder) -> Self {
        let (status, decline_code, settled_at) = match order.outcome {
            None => (OrderStatus::Accepted, None, None),
            Some(outcome) => {
                let status = match outcome.decline_code {
                    None => OrderStatus::Paid,
                    Some(_) => OrderStatus::Declined,
                };
                (status, outcome.decline_code, Some(outcome.settled_at))
            }
        };
        Self {
            order_id: order.order_id.to_string(),
            user_id: order.user_id,
            lines: order.lines,
            currency_code: order.currency_code,
            total: order.total,
            status: status.into(),
            // 0 is DECLINE_CODE_UNSPECIFIED: not declined.
            decline_code: decline_code.unwrap_or(0),
            placed_at: Some(order.placed_at.into()),
            stored_at: Some(order.stored_at.into()),
            settled_at: settled_at.map(Into::into),
            content_hash: order.content_hash.0.to_vec(),
            trace_id: order.trace_id.map_or_else(String::new, |id| id.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proto::{
        event::ContentHash,
        events::v1::{DeclineCode, OrderLine},
        id::OrderId,
        time::UnixMicros,
    };

    use super::*;
    use crate::fact::Outcome;

    fn stored(outcome: Option<Outcome>) -> StoredOrder {
        StoredOrder {
            order_id: OrderId::random(),
            user_id: 42,
            lines: Vec::new(),
            currency_code: "USD".into(),
            total: 0,
            placed_at: UnixMicros::from_micros(1),
            stored_at: UnixMicros::from_micros(2),
            content_hash: ContentHash([7; 32]),
            trace_id: None,
            outcome,
        }
    }

    /// As large as an order can be: about 83 kB.
    fn largest() -> StoredOrder {
        let line = OrderLine {
            product_id: proto::limits::MAX_ID,
            name: "\u{1f6d2}".repeat(proto::limits::MAX_NAME_CHARS),
            unit_price: proto::limits::MAX_UNIT_PRICE,
            quantity: proto::limits::MAX_QUANTITY,
        };
        StoredOrder {
            lines: vec![line; proto::limits::MAX_LINES],
            ..stored(None)
        }
    }

    fn first_page(size: i32) -> PageRequest<Cursor> {
        PageRequest::parse(size, "", &None::<i64>).unwrap()
    }

    #[test]
    fn the_payment_s_outcome_is_the_order_s_status() {
        let outcome = |decline_code| {
            Some(Outcome {
                decline_code,
                settled_at: UnixMicros::from_micros(3),
            })
        };
        let open = Order::from(stored(None));
        assert_eq!(
            (open.status(), open.settled_at),
            (OrderStatus::Accepted, None)
        );
        let paid = Order::from(stored(outcome(None)));
        assert_eq!(paid.status(), OrderStatus::Paid);
        assert_eq!(paid.decline_code(), DeclineCode::Unspecified);
        assert_eq!(paid.settled_at, Some(UnixMicros::from_micros(3).into()));
        let code = DeclineCode::ExpiredCard;
        let declined = Order::from(stored(outcome(Some(code.into()))));
        assert_eq!(declined.status(), OrderStatus::Declined);
        assert_eq!(declined.decline_code(), code);
    }

    #[test]
    fn a_page_of_large_orders_ends_early_and_goes_on_with_its_token() {
        let orders = vec![largest(); 101];
        let answer = page(first_page(100), orders.clone());
        assert!(answer.encoded_len() <= 4 * 1024 * 1024);
        assert!(answer.orders.len() > 40, "{}", answer.orders.len());
        assert!(!answer.next_page_token.is_empty());

        let small = vec![stored(None); 3];
        assert_eq!(page(first_page(2), small.clone()).orders.len(), 2);
        assert_eq!(page(first_page(3), small).next_page_token, "");
    }

    #[test]
    fn the_last_page_ends_early_with_a_token_too() {
        // As many as wanted were read, so only their size tells that some are left.
        let answer = page(first_page(100), vec![largest(); 100]);
        assert!(answer.orders.len() < 100 && !answer.next_page_token.is_empty());
    }

    #[test]
    fn a_batch_that_no_client_could_take_is_refused() {
        assert_eq!(batch(vec![largest(); 40]).unwrap().orders.len(), 40);
        let error = batch(vec![largest(); 60]).unwrap_err();
        assert_eq!(error.reason(), Reason::TooLarge);
    }
}
