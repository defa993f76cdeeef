use super::*;

fn order() -> PlacedOrder {
    PlacedOrder {
        order_id: OrderId::random(),
        user_id: UserId::try_from(42).unwrap(),
        lines: vec![PlacedLine {
            product_id: ProductId::try_from(1).unwrap(),
            name: "Keyboard".into(),
            unit_price: 999,
            quantity: 2,
        }],
        total: Money::new(1998, Currency::USD),
        email: "jane@example.com".parse().unwrap(),
        payment_token: None,
        placed_at: UnixMicros::from_micros(1_700_000_000_000_001),
        content_hash: ContentHash([7; 32]),
    }
}

fn refused(change: impl FnOnce(&mut v1::OrderPlaced)) -> String {
    let mut message = v1::OrderPlaced::from(&order());
    change(&mut message);
    PlacedOrder::try_from(message).unwrap_err().field
}

#[test]
fn an_order_comes_back_from_the_wire_as_it_was() {
    let order = order();
    assert_eq!(
        PlacedOrder::try_from(v1::OrderPlaced::from(&order)),
        Ok(order)
    );
}

#[test]
fn every_broken_bound_of_an_order_names_its_field() {
    assert_eq!(refused(|m| m.order_id = "x".into()), "order_id");
    assert_eq!(refused(|m| m.user_id = 0), "user_id");
    assert_eq!(refused(|m| m.lines.clear()), "lines");
    assert_eq!(
        refused(|m| m.lines[0].unit_price = -1),
        "lines[0].unit_price"
    );
    assert_eq!(refused(|m| m.lines[0].quantity = 0), "lines[0].quantity");
    assert_eq!(
        refused(|m| m.lines[0].name = "a\u{7}".into()),
        "lines[0].name"
    );
    assert_eq!(
        refused(|m| m.lines[0].product_id = 0),
        "lines[0].product_id"
    );
    assert_eq!(refused(|m| m.total += 1), "total");
    assert_eq!(refused(|m| m.total = i64::MAX), "total");
    assert_eq!(refused(|m| m.currency_code = "usd".into()), "currency_code");
    assert_eq!(refused(|m| m.email = "a\r\nb@c.example".into()), "email");
    assert_eq!(refused(|m| m.placed_at = None), "placed_at");
    assert_eq!(refused(|m| m.content_hash = vec![1]), "content_hash");
}

#[test]
fn a_total_above_the_limit_is_none_even_when_it_would_wrap() {
    let mut lines = order().lines;
    lines[0].unit_price = MAX_UNIT_PRICE;
    lines[0].quantity = MAX_QUANTITY;
    assert_eq!(checked_total(&lines), None);
    lines[0].unit_price = i64::MAX;
    assert_eq!(checked_total(&lines), None);
}

#[test]
fn a_payment_comes_back_and_its_outcome_and_code_agree() {
    let order = order();
    let payment = SettledPayment {
        payment_id: PaymentId::of(order.order_id),
        order_id: order.order_id,
        user_id: order.user_id,
        amount: order.total,
        result: PaymentResult::Declined(v1::DeclineCode::ExpiredCard),
        settled_at: order.placed_at,
        order_placed_at: order.placed_at,
    };
    let message = v1::PaymentSettled::from(&payment);
    assert_eq!(SettledPayment::try_from(message.clone()), Ok(payment));

    let mut captured_with_code = message.clone();
    captured_with_code.outcome = v1::PaymentOutcome::Captured.into();
    let mut unknown = message.clone();
    unknown.outcome = 99;
    let mut foreign_id = message;
    foreign_id.payment_id = PaymentId::of(OrderId::random()).to_string();
    for (message, field) in [
        (captured_with_code, "decline_code"),
        (unknown, "outcome"),
        (foreign_id, "payment_id"),
    ] {
        assert_eq!(SettledPayment::try_from(message).unwrap_err().field, field);
    }
}

#[test]
fn a_notification_comes_back_and_its_id_is_derived() {
    let order_id = OrderId::random();
    let kind = v1::NotificationKind::OrderConfirmation;
    let notification = SentNotification {
        notification_id: NotificationId::of(order_id, kind, Some(3)),
        order_id,
        user_id: UserId::try_from(1).unwrap(),
        kind,
        line: Some(3),
        sent: true,
        sent_at: UnixMicros::now(),
    };
    let mut message = v1::NotificationSent::from(&notification);
    assert_eq!(
        SentNotification::try_from(message.clone()),
        Ok(notification)
    );
    message.line = Some(4);
    assert!(SentNotification::try_from(message.clone()).is_err());
    message.line = Some(-1);
    assert_eq!(
        SentNotification::try_from(message).unwrap_err().field,
        "line"
    );
}

#[test]
fn a_product_event_names_its_product() {
    let event = TrackedEvent {
        event_id: UserEventId::random(),
        user_id: UserId::try_from(1).unwrap(),
        kind: v1::UserEventType::ProductViewed,
        product_id: Some(ProductId::try_from(5).unwrap()),
        occurred_at: UnixMicros::now(),
    };
    let mut message = v1::UserEvent::from(&event);
    assert_eq!(TrackedEvent::try_from(message.clone()), Ok(event));
    message.product_id = None;
    assert_eq!(
        TrackedEvent::try_from(message).unwrap_err().field,
        "product_id"
    );
}
