//! What all orders together come to: the last minutes, the totals, the best sold.

use jiff::Timestamp;
use ratatui::{
    buffer::Buffer,
    layout::{Alignment, Constraint, Layout, Rect},
    text::{Line, Text},
    widgets::{Cell, Row, Sparkline, Table, Widget as _},
};

use super::paint::Paint;
use crate::{
    top::{
        model::{Bucket, Product, Stats},
        view::View,
    },
    words::{count, money, share},
};

/// Rows that are needed.
pub(super) const HEIGHT: u16 = 7;
const MINUTE: i64 = 60;

pub(super) fn draw(view: &View, paint: Paint, area: Rect, cells: &mut Buffer) {
    let [left, right] = Layout::horizontal([Constraint::Fill(1); 2])
        .spacing(3)
        .areas(area);
    let analytics = view.model.analytics.as_ref();
    let rate = analytics.and_then(|it| it.rate.as_ref());
    minutes(rate.map(|it| &*it.buckets), view.now, paint, left, cells);
    let stats = analytics.and_then(|it| it.stats.as_ref());
    let totals_area = Rect {
        y: left.y + 4,
        height: 2,
        ..left
    };
    totals(stats, paint).render(totals_area, cells);
    let top = analytics.and_then(|it| it.top_products.as_ref());
    products(top.map(|it| &*it.products), paint, right, cells);
}

/// The last minutes, one a column, the newest at the right.
fn minutes(
    buckets: Option<&[Bucket]>,
    now: Timestamp,
    paint: Paint,
    area: Rect,
    cells: &mut Buffer,
) {
    let [head, bars, _] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(3),
        Constraint::Fill(1),
    ])
    .areas(area);
    let Some(buckets) = buckets else {
        Line::styled("ORDERS A MINUTE", Paint::head()).render(head, cells);
        return Line::styled("not known", Paint::quiet()).render(bars, cells);
    };
    let columns = by_minute(buckets, now, bars.width.into());
    let most = columns.iter().copied().max().unwrap_or_default();
    let title = format!(
        "ORDERS A MINUTE, {} min, at most {}",
        columns.len(),
        count(i64::try_from(most).unwrap_or(i64::MAX))
    );
    Line::styled(title, Paint::head()).render(head, cells);
    Sparkline::default()
        .data(columns)
        .max(most.max(1))
        .style(paint.plain())
        .render(bars, cells);
}

/// So many minutes up to now; those without an order have none.
fn by_minute(buckets: &[Bucket], now: Timestamp, columns: usize) -> Vec<u64> {
    let this = now.as_second().div_euclid(MINUTE);
    let mut minutes = vec![0; columns];
    for bucket in buckets {
        let ago = this - bucket.start_time.as_second().div_euclid(MINUTE);
        let column = usize::try_from(ago)
            .ok()
            .and_then(|ago| columns.checked_sub(ago + 1));
        if let Some(column) = column {
            minutes[column] += bucket.orders;
        }
    }
    minutes
}

fn totals(stats: Option<&Stats>, paint: Paint) -> Text<'static> {
    let Some(stats) = stats else {
        return Text::default();
    };
    let declined = share(stats.orders_declined, stats.orders);
    let failed = match stats.notifications_failed {
        0 => String::new(),
        failed => format!(", {} failed", count(failed)),
    };
    Text::from_iter([
        format!(
            "{} orders, {} mails{failed}",
            count(stats.orders),
            count(stats.notifications_sent),
        ),
        format!(
            "{} paid, {declined} declined",
            share(stats.orders_paid, stats.orders)
        ),
    ])
    .style(paint.plain())
}

fn products(products: Option<&[Product]>, paint: Paint, area: Rect, cells: &mut Buffer) {
    let Some(products) = products else {
        let text = Text::from_iter(["TOP PRODUCTS", "not known"]);
        return text.style(Paint::quiet()).render(area, cells);
    };
    let right = |text: String| Cell::from(Text::from(text).alignment(Alignment::Right));
    let rows = products
        .iter()
        .take(usize::from(HEIGHT - 2))
        .map(|product| {
            Row::new([
                Cell::from(product.name.to_string()),
                right(count(product.units)),
                right(money(product.revenue, product.currency_code.as_str())),
            ])
        });
    let head = [
        Cell::from("TOP PRODUCTS"),
        right("UNITS".to_owned()),
        right("REVENUE".to_owned()),
    ];
    let widths = [
        Constraint::Fill(1),
        Constraint::Length(8),
        Constraint::Length(15),
    ];
    Table::new(rows, widths)
        .header(Row::new(head).style(Paint::head()))
        .style(paint.plain())
        .render(area, cells);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_without_an_order_have_a_column_too() {
        let bucket = |second, orders| Bucket {
            start_time: Timestamp::from_second(second).unwrap(),
            orders,
        };
        let buckets = [
            bucket(0, 9),
            bucket(600, 1),
            bucket(720, 3),
            bucket(99_999, 7),
        ];
        let now = Timestamp::from_second(779).unwrap();
        assert_eq!(by_minute(&buckets, now, 4), [0, 1, 0, 3]);
        assert_eq!(by_minute(&buckets, now, 0), [0; 0]);
        assert_eq!(by_minute(&buckets, now, 20)[7], 9);
    }
}
