//! The whole service on a broker: records in, answers out.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod feeder;
mod fixture;

use std::time::Duration;

use chassis::error::{Error, Reason};
use proto::{
    event::{ContentHash, PAYMENTS, PaymentResult, PlacedOrder},
    events::v1::DeclineCode,
    history::v1::{BatchGetOrdersRequest, ListOrdersRequest, OrderStatus},
    id::OrderId,
    time::UnixMicros,
};

use feeder::Feeder;
use fixture::{Fixture, order, payment};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

#[test]
fn an_order_is_answered_for_as_it_stands() {
    let fixture = Fixture::start();
    fixture.runtime.block_on(async {
        let order = order();
        let unknown = fixture.get(order.order_id).await.unwrap_err();
        assert_eq!(unknown.reason(), Reason::NotFound);
        assert_eq!(unknown.retry_hint(), Some(Duration::from_secs(1)));

        fixture.feeder.place(&order, TRACE).await;
        let accepted = fixture
            .get_when(order.order_id, OrderStatus::Accepted)
            .await;
        assert_eq!(accepted.trace_id, TRACE);
        assert_eq!(accepted.total, 999);
        assert_eq!(accepted.lines[0].name, "Keyboard");
        assert_eq!(accepted.placed_at, Some(order.placed_at.into()));
        assert_eq!(accepted.content_hash, [7; 32]);
        assert!(accepted.stored_at.is_some() && accepted.settled_at.is_none());

        let payment = payment(&order, PaymentResult::Declined(DeclineCode::ExpiredCard));
        fixture.feeder.settle(&payment).await;
        let declined = fixture
            .get_when(order.order_id, OrderStatus::Declined)
            .await;
        assert_eq!(declined.decline_code(), DeclineCode::ExpiredCard);
        assert_eq!(declined.settled_at, Some(payment.settled_at.into()));
        assert_eq!(declined.stored_at, accepted.stored_at);
    });
}

#[test]
fn poison_is_put_aside_and_the_rest_is_stored() {
    let fixture = Fixture::start();
    fixture.runtime.block_on(async {
        let first = order();
        fixture.feeder.place(&first, TRACE).await;
        let rival = PlacedOrder {
            content_hash: ContentHash([8; 32]),
            ..first.clone()
        };
        fixture.feeder.place(&rival, TRACE).await;
        // An order's event where only payments belong.
        fixture
            .feeder
            .publish(Feeder::placed(PAYMENTS, &order()))
            .await;
        fixture
            .feeder
            .settle(&payment(&first, PaymentResult::Captured))
            .await;

        fixture.await_dead_letters(2).await;
        let stored = fixture.get_when(first.order_id, OrderStatus::Paid).await;
        assert_eq!(stored.content_hash, [7; 32]);
    });
}

#[test]
fn a_header_that_is_no_trace_costs_no_order() {
    let fixture = Fixture::start();
    fixture.runtime.block_on(async {
        let order = order();
        // Of a trace id's length, but nothing that a text column of PostgreSQL
        // could hold.
        let parent = format!("00-{}\0-00f067aa0ba902b7-01", &TRACE[..31]);
        fixture
            .feeder
            .place_with_header(&order, parent.as_bytes())
            .await;
        let stored = fixture
            .get_when(order.order_id, OrderStatus::Accepted)
            .await;
        assert_eq!(stored.trace_id, "");
    });
}

#[test]
fn what_was_stored_is_there_after_a_restart_and_is_not_stored_again() {
    let mut fixture = Fixture::start();
    let (first, second) = (order(), order());
    let before = fixture.runtime.block_on(async {
        fixture.feeder.place(&first, TRACE).await;
        fixture
            .get_when(first.order_id, OrderStatus::Accepted)
            .await
    });
    fixture.stop_history();
    fixture.runtime.block_on(async {
        // Redelivered, as after a crash, with what came meanwhile.
        fixture.feeder.place(&first, TRACE).await;
        fixture.feeder.place(&second, TRACE).await;
        fixture
            .feeder
            .settle(&payment(&second, PaymentResult::Captured))
            .await;
    });
    fixture.start_history();
    fixture.runtime.block_on(async {
        fixture.get_when(second.order_id, OrderStatus::Paid).await;
        assert_eq!(fixture.get(first.order_id).await.unwrap(), before);
        fixture.await_dead_letters(0).await;
    });
}

#[test]
fn lists_go_on_page_by_page_and_only_with_their_own_token() {
    let fixture = Fixture::start();
    fixture.runtime.block_on(async {
        let mut orders: Vec<PlacedOrder> = (0..5).map(|_| order()).collect();
        for (number, order) in (0..).zip(&mut orders) {
            order.placed_at = UnixMicros::from_micros(1_600_000_000_000_000 + number);
            fixture.feeder.place(order, TRACE).await;
        }
        for order in &orders {
            fixture
                .get_when(order.order_id, OrderStatus::Accepted)
                .await;
        }
        let mut client = fixture.client.clone();
        let mut request = ListOrdersRequest {
            user_id: Some(42),
            page_size: 2,
            page_token: String::new(),
        };
        let mut listed = Vec::new();
        loop {
            let page = client
                .list_orders(request.clone())
                .await
                .unwrap()
                .into_inner();
            listed.extend(page.orders.into_iter().map(|order| order.order_id));
            request.page_token = page.next_page_token;
            if request.page_token.is_empty() {
                break;
            }
            let other = ListOrdersRequest {
                user_id: Some(43),
                ..request.clone()
            };
            let error = Error::from(client.list_orders(other).await.unwrap_err());
            assert_eq!(error.violations()[0].field, "page_token");
        }
        let newest_first = orders.iter().rev().map(|order| order.order_id.to_string());
        assert_eq!(listed, newest_first.collect::<Vec<_>>());

        let none = ListOrdersRequest {
            user_id: Some(43),
            ..ListOrdersRequest::default()
        };
        let page = client.list_orders(none).await.unwrap().into_inner();
        assert_eq!((page.orders.len(), page.next_page_token.as_str()), (0, ""));
    });
}

#[test]
fn a_batch_answers_for_what_is_there_and_refuses_what_is_wrong() {
    let fixture = Fixture::start();
    fixture.runtime.block_on(async {
        let order = order();
        fixture.feeder.place(&order, TRACE).await;
        fixture
            .get_when(order.order_id, OrderStatus::Accepted)
            .await;

        let mut client = fixture.client.clone();
        let mut ids: Vec<String> = (0..999).map(|_| OrderId::random().to_string()).collect();
        ids.push(order.order_id.to_string());
        let request = BatchGetOrdersRequest { order_ids: ids };
        let found = client.batch_get_orders(request).await.unwrap().into_inner();
        assert_eq!(found.orders.len(), 1);

        // Over the wire: the answer's headers must hold it.
        for order_ids in [vec!["x".to_owned(); 1_000], Vec::new()] {
            let request = BatchGetOrdersRequest { order_ids };
            let status = client.batch_get_orders(request).await.unwrap_err();
            assert_eq!(Error::from(status).reason(), Reason::InvalidRequest);
        }
    });
}
