//! The newest orders, a row each.

use jiff::SignedDuration;
use ratatui::{
    buffer::Buffer,
    layout::{Alignment, Constraint, Rect},
    style::Style,
    text::Text,
    widgets::{Cell, Row, Table, Widget as _},
};

use super::paint::Paint;
use crate::{
    top::{model::Order, view::View},
    words::{millis, money, word},
};

pub(super) fn draw(view: &View, paint: Paint, area: Rect, cells: &mut Buffer) {
    let Some(orders) = &view.model.orders else {
        let text = Text::from_iter(["NEWEST ORDERS", "not known yet"]);
        return text.style(Paint::quiet()).render(area, cells);
    };
    if orders.is_empty() {
        let text = "No order yet. Try: ordermesh order place --user 42 --product 1:Keyboard:999";
        return Text::styled(text, Paint::quiet()).render(area, cells);
    }
    let right = |text: &'static str| Cell::from(Text::from(text).alignment(Alignment::Right));
    let head = [
        Cell::from("TIME"),
        Cell::from("ORDER"),
        right("USER"),
        right("TOTAL"),
        Cell::from("STATUS"),
    ];
    let (user, total) = if area.width < super::services::WIDE {
        (8, 11)
    } else {
        (16, 18)
    };
    let widths = [
        Constraint::Length(8),
        // Whole: it is what the next command takes.
        Constraint::Length(36),
        Constraint::Length(user),
        Constraint::Length(total),
        Constraint::Fill(1),
    ];
    let rows = orders.iter().map(|order| row(order, paint));
    Table::new(rows, widths)
        .header(Row::new(head).style(Paint::head()))
        .style(paint.plain())
        .render(area, cells);
}

fn row(order: &Order, paint: Paint) -> Row<'static> {
    let right = |text: String| Cell::from(Text::from(text).alignment(Alignment::Right));
    let (status, style) = status(order, paint);
    Row::new([
        Cell::from(order.placed_at.strftime("%H:%M:%S").to_string()),
        Cell::from(order.id.to_string()),
        right(order.user_id.to_string()),
        right(money(order.total, order.currency_code.as_str())),
        Cell::from(Text::styled(status, style)),
    ])
}

/// `paid in 12 ms`, `declined: card declined`.
fn status(order: &Order, paint: Paint) -> (String, Style) {
    let word_of = |text: &str, prefix| word(text, prefix);
    let status = word_of(order.status.as_str(), "ORDER_STATUS_");
    if let Some(code) = &order.decline_code {
        let why = word_of(code.as_str(), "DECLINE_CODE_");
        return (format!("{status}: {why}"), paint.none_is_fine(Some(1)));
    }
    let text = match order.settled_at {
        Some(settled) => {
            let took = settled
                .duration_since(order.placed_at)
                .max(SignedDuration::ZERO);
            format!("{status} in {}", millis(took.as_secs_f64() * 1e3))
        }
        None => status,
    };
    (text, paint.plain())
}
