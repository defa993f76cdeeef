//! The picture. Pure: a view and an area in, cells out.

mod activity;
mod header;
mod orders;
mod paint;
mod services;

use ratatui::{
    buffer::Buffer,
    layout::{Constraint, Layout, Rect},
    widgets::{Paragraph, Widget as _, Wrap},
};

use self::paint::Paint;
use super::view::View;

/// The smallest window in which everything has its place: columns and rows.
pub(super) const LEAST: (u16, u16) = (72, 20);

/// Draws everything.
pub(super) fn draw(view: &View, area: Rect, cells: &mut Buffer) {
    if area.width < LEAST.0 || area.height < LEAST.1 {
        let (width, height) = LEAST;
        let text = format!(
            "This window has {} columns and {} rows; ordermesh top needs {width} and {height}.",
            area.width, area.height
        );
        return Paragraph::new(text)
            .wrap(Wrap { trim: true })
            .render(area, cells);
    }
    let paint = Paint::new(view);
    let [head, services, activity, orders, keys] = Layout::vertical([
        Constraint::Length(2),
        Constraint::Length(services::height(view)),
        Constraint::Length(activity::HEIGHT),
        Constraint::Fill(1),
        Constraint::Length(1),
    ])
    .areas(area);
    header::draw(view, paint, head, cells);
    services::draw(view, paint, services, cells);
    activity::draw(view, paint, activity, cells);
    orders::draw(view, paint, orders, cells);
    header::keys(view, keys, cells);
}

/// What stands in the cells, line by line.
pub(super) fn lines(cells: &Buffer) -> Vec<String> {
    let area = cells.area;
    let line = |row| {
        let mut line = String::new();
        let mut column = area.left();
        while column < area.right() {
            let symbol = cells[(column, row)].symbol();
            line.push_str(symbol);
            // A wide character takes the cell behind it as well.
            column += width(symbol).max(1);
        }
        line.trim_end().to_owned()
    };
    (area.top()..area.bottom()).map(line).collect()
}

/// In cells.
fn width(text: &str) -> u16 {
    u16::try_from(ratatui::text::Line::raw(text).width()).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests;
