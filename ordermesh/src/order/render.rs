//! Orders for people.

use std::fmt::Write as _;

use chassis::error::Error;
use proto::{
    history::v1::{ListOrdersResponse, Order},
    notifier::v1::Notification,
    orders::v1::{OrderView, PlaceOrderResponse},
    time::UnixMicros,
};

use crate::{
    output::table,
    words::{money, word},
};

pub(super) fn placed(answer: &PlaceOrderResponse) -> String {
    format!(
        "Order {} accepted: {}\ntrace {}",
        answer.order_id,
        money(answer.total, &answer.currency_code),
        if answer.trace_id.is_empty() {
            "-"
        } else {
            &answer.trace_id
        },
    )
}

pub(super) fn view(view: &OrderView) -> String {
    let order = view.order.clone().unwrap_or_default();
    let mut text = format!(
        "Order {}  {}  {}  user {}{}\n",
        order.order_id,
        word(order.status().as_str_name(), "ORDER_STATUS_"),
        money(order.total, &order.currency_code),
        order.user_id,
        if view.r#final { "  (final)" } else { "" },
    );
    let mut lines = table(["PRODUCT", "NAME", "PRICE", "QUANTITY"]);
    for line in &order.lines {
        lines.add_row([
            line.product_id.to_string(),
            line.name.clone(),
            money(line.unit_price, &order.currency_code),
            line.quantity.to_string(),
        ]);
    }
    let _ = writeln!(text, "{lines}");
    let _ = match &view.payment {
        Some(payment) => {
            let code = word(payment.decline_code().as_str_name(), "DECLINE_CODE_");
            let status = word(payment.status().as_str_name(), "PAYMENT_STATUS_");
            let why = if code == "unspecified" {
                String::new()
            } else {
                format!(" ({code})")
            };
            writeln!(
                text,
                "payment  {status}{why}  {}",
                payment.provider_reference
            )
        }
        None => writeln!(text, "payment  none yet"),
    };
    for mail in &view.notifications {
        let _ = writeln!(text, "mail     {}", self::mail(mail));
    }
    for part in &view.unavailable {
        let _ = writeln!(text, "{part} could not be asked now");
    }
    text.truncate(text.trim_end().len());
    text
}

fn mail(mail: &Notification) -> String {
    format!(
        "{}  {}",
        word(mail.status().as_str_name(), "NOTIFICATION_STATUS_"),
        mail.subject
    )
}

pub(super) fn orders(answer: &ListOrdersResponse) -> String {
    let mut rows = table(["ORDER", "PLACED", "USER", "STATUS", "TOTAL", "PRODUCTS"]);
    for order in &answer.orders {
        rows.add_row(row(order));
    }
    let mut text = rows.to_string();
    if !answer.next_page_token.is_empty() {
        let _ = write!(text, "\nmore: --page-token {}", answer.next_page_token);
    }
    text
}

fn row(order: &Order) -> [String; 6] {
    let placed = order
        .placed_at
        .and_then(|time| UnixMicros::try_from(time).ok());
    [
        order.order_id.clone(),
        placed.map_or_else(String::new, |time| time.to_string()),
        order.user_id.to_string(),
        word(order.status().as_str_name(), "ORDER_STATUS_"),
        money(order.total, &order.currency_code),
        order.lines.len().to_string(),
    ]
}

/// A failure with every broken rule on a line of its own.
pub(super) fn failure(error: &Error) -> String {
    let mut text = error.to_string();
    if error.violations().len() > 1 {
        for violation in error.violations() {
            let _ = write!(text, "\n  {}: {}", violation.field, violation.description);
        }
    }
    if let Some(after) = error.retry_hint() {
        let _ = write!(text, "\n  try again in {after:?}");
    }
    text
}
