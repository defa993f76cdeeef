//! The whole service on librdkafka's own broker: orders in, events out, and what
//! its gRPC says.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../support/orders.rs"]
mod orders;
mod shop;

use chassis::{kafka::KafkaOptions, service::Service};
use payments::Payments;
use proto::{
    event::{PaymentResult, PlacedOrder},
    events::v1::DeclineCode,
    id::PaymentId,
    payments::v1::{
        BatchGetPaymentsRequest, GetPaymentRequest, GetPaymentStatsRequest, ListPaymentsRequest,
        PaymentStatus, get_payment_request::Id, payment_service_client::PaymentServiceClient,
    },
};
use tonic::{Code, transport::Channel};

use orders::{contradicting, order, with_token};
use shop::{DEAD_LETTERS, Fixture, trace_id};

/// The test's own runtime; the services bring theirs.
fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Runtime::new().unwrap().block_on(test);
}

fn grpc_address() -> String {
    format!("127.0.0.1:{}", testkit::ports::free().unwrap())
}

async fn connect(address: &str) -> PaymentServiceClient<Channel> {
    PaymentServiceClient::connect(format!("http://{address}"))
        .await
        .unwrap()
}

fn by_order(order: &PlacedOrder) -> GetPaymentRequest {
    GetPaymentRequest {
        id: Some(Id::OrderId(order.key())),
    }
}

/// The one event about an order says so, in the order's trace.
fn expect_event(fixture: &Fixture, order: &PlacedOrder, result: PaymentResult) {
    let events = fixture.events(order);
    let [event] = &events[..] else {
        panic!("one event, not {events:?}");
    };
    assert_eq!(event.payment.result, result);
    assert_eq!(event.payment.amount, order.total);
    assert_eq!(event.payment.order_placed_at, order.placed_at);
    assert_eq!(event.id, PaymentId::of(order.order_id).to_string());
    assert_eq!(event.trace_id, Some(trace_id(order)));
}

#[test]
fn orders_become_payments_with_events_in_their_traces() {
    let fixture = Fixture::new("events");
    let running = fixture.payments("127.0.0.1:0");
    run(async {
        let captured = order();
        let declined = with_token(order(), "tok_insufficient_funds");
        for order in [&captured, &declined, &captured] {
            fixture.place(order).await;
        }
        fixture.until_settled(2).await;
        expect_event(&fixture, &captured, PaymentResult::Captured);
        let insufficient = PaymentResult::Declined(DeclineCode::InsufficientFunds);
        expect_event(&fixture, &declined, insufficient);
        assert_eq!(fixture.charges(), 2);
    });
    running.drain().unwrap();
}

#[test]
fn what_cannot_be_paid_goes_to_the_dead_letters_and_can_be_seen() {
    assert_eq!(KafkaOptions::dead_letters(Payments::NAME), DEAD_LETTERS);
    let fixture = Fixture::new("dead letters");
    let address = grpc_address();
    let running = fixture.payments(&address);
    run(async {
        let good = order();
        let failing = with_token(order(), "tok_processing_error");
        for order in [&good, &failing, &contradicting(&good)] {
            fixture.place(order).await;
        }
        fixture.until_seen(3).await;
        let letters = fixture.dead_letters();
        assert_eq!(letters[&failing.key()], "exhausted");
        assert_eq!(letters[&good.key()], "conflict");
        expect_event(&fixture, &good, PaymentResult::Captured);

        let mut client = connect(&address).await;
        let pending = PaymentStatus::Pending.into();
        let list = ListPaymentsRequest {
            status: pending,
            ..Default::default()
        };
        let pending = client
            .list_payments(list)
            .await
            .unwrap()
            .into_inner()
            .payments;
        assert_eq!(pending.len(), 1);
        assert_eq!(pending[0].order_id, failing.key());
    });
    running.drain().unwrap();
}

#[test]
fn payments_are_told_over_grpc() {
    let fixture = Fixture::new("grpc");
    let address = grpc_address();
    let running = fixture.payments(&address);
    run(async {
        let captured = order();
        let declined = with_token(order(), "tok_expired");
        fixture.place(&captured).await;
        fixture.place(&declined).await;
        fixture.until_settled(2).await;

        let mut client = connect(&address).await;
        let answer = client
            .get_payment(by_order(&declined))
            .await
            .unwrap()
            .into_inner();
        let payment = answer.payment.unwrap();
        assert_eq!(payment.status(), PaymentStatus::Declined);
        assert_eq!(payment.decline_code(), DeclineCode::ExpiredCard);
        let unknown = client.get_payment(by_order(&order())).await.unwrap_err();
        assert_eq!(unknown.code(), Code::NotFound);

        let order_ids = vec![declined.key(), order().key(), captured.key()];
        let batch = client
            .batch_get_payments(BatchGetPaymentsRequest { order_ids })
            .await;
        assert_eq!(batch.unwrap().into_inner().payments.len(), 2);

        let stats = client.get_payment_stats(GetPaymentStatsRequest {}).await;
        let stats = stats.unwrap().into_inner();
        assert_eq!(
            (stats.pending, stats.captured, stats.declined[0].count),
            (0, 1, 1)
        );
        assert_eq!(stats.captured_amounts[0].amount, captured.total.minor);
    });
    running.drain().unwrap();
}

#[test]
fn a_restart_under_load_charges_nothing_twice() {
    let fixture = Fixture::new("restart");
    let orders: Vec<PlacedOrder> = (0..600).map(|_| order()).collect();
    let running = fixture.payments("127.0.0.1:0");
    run(async {
        futures::future::join_all(orders.iter().map(|order| fixture.place(order))).await;
        fixture.until_settled(1).await;
    });
    running.drain().unwrap();
    let running = fixture.payments("127.0.0.1:0");
    run(fixture.until_settled(orders.len()));
    running.drain().unwrap();
    assert_eq!(fixture.charges(), orders.len());
}
