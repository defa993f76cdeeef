//! How each service is, a row each, and below what it waits for.

use std::time::Duration;

use ratatui::{
    buffer::Buffer,
    layout::{Alignment, Constraint, Rect},
    text::Text,
    widgets::{Cell, Row, Table, Widget as _},
};

use super::paint::Paint;
use crate::{
    top::{
        model::{Service, Services, State},
        view::View,
    },
    words::{count, millis, per_second, span},
};

/// Lines of what services wait for.
const MOST_REASONS: usize = 4;
/// From here on there is room for what else is known.
pub(super) const WIDE: u16 = 104;

fn known(view: &View) -> (f64, &[Service]) {
    let services: Option<&Services> = view.model.services.as_ref();
    services.map_or((0.0, &[]), |it| (it.accepted_per_second, &it.services))
}

/// Rows that are needed: the head, one a service, and what they wait for.
pub(super) fn height(view: &View) -> u16 {
    let (_, services) = known(view);
    let rows = 2 + services.len().max(5) + reasons(services).len();
    u16::try_from(rows).unwrap_or(u16::MAX)
}

/// What services wait for, each by its name; the last line may count the rest.
fn reasons(services: &[Service]) -> Vec<String> {
    let mut all: Vec<String> = services
        .iter()
        .flat_map(|service| {
            let of = |reason| format!("  {}: {reason}", service.name);
            service.reasons.iter().map(of)
        })
        .collect();
    if all.len() > MOST_REASONS {
        let more = all.len() - (MOST_REASONS - 1);
        all.truncate(MOST_REASONS - 1);
        all.push(format!("  and {more} more"));
    }
    all
}

pub(super) fn draw(view: &View, paint: Paint, area: Rect, cells: &mut Buffer) {
    let (accepted, services) = known(view);
    let is_wide = area.width >= WIDE;
    let mut widths = vec![
        Constraint::Length(10),
        Constraint::Length(12),
        Constraint::Length(10),
        Constraint::Length(10),
        Constraint::Length(9),
        Constraint::Length(9),
    ];
    let mut head = vec!["SERVICE", "STATE", "RATE", "LAG", "AGE P50", "AGE P99"];
    if is_wide {
        widths.extend([9, 6, 9, 12].map(Constraint::Length));
        head.extend(["RETRIES", "DEAD", "UP", "VERSION"]);
    } else {
        widths.push(Constraint::Length(6));
        head.push("DEAD");
    }
    let head = head.into_iter().enumerate().map(|(column, text)| {
        let text = Text::from(text);
        Cell::from(if (2..=8).contains(&column) {
            text.alignment(Alignment::Right)
        } else {
            text
        })
    });
    let rows = services
        .iter()
        .map(|service| row(service, accepted, paint, is_wide));
    let [table, below] = ratatui::layout::Layout::vertical([
        Constraint::Length(u16::try_from(services.len()).unwrap_or(0) + 1),
        Constraint::Fill(1),
    ])
    .areas(area);
    Table::new(rows, widths)
        .header(Row::new(head).style(Paint::head()))
        .render(table, cells);
    if services.is_empty() {
        Text::styled("not known yet", Paint::quiet()).render(below, cells);
    } else {
        let style = if view.is_stale() {
            Paint::quiet()
        } else {
            paint.odd()
        };
        Text::from_iter(reasons(services))
            .style(style)
            .render(below, cells);
    }
}

fn row(service: &Service, accepted: f64, paint: Paint, is_wide: bool) -> Row<'static> {
    let is_gateway = service.name.as_str() == "gateway";
    let is_away = service.state == State::Unreachable;
    let rate: f64 = if is_gateway {
        accepted
    } else {
        service.topics.iter().map(|topic| topic.per_second).sum()
    };
    let figure = |text: Option<String>, style| {
        let text = text.unwrap_or_else(|| "–".to_owned());
        Cell::from(Text::styled(text, style).alignment(Alignment::Right))
    };
    let age = service.age.as_ref();
    let plain = paint.plain();
    let mut row = vec![
        Cell::from(Text::styled(service.name.to_string(), plain)),
        Cell::from(Text::styled(
            state(service.state),
            paint.state(service.state),
        )),
        figure((!is_away).then(|| per_second(rate)), plain),
        figure(service.lag.map(count), lag(service.lag, rate, paint)),
        figure(age.map(|age| millis(age.p50_ms)), plain),
        figure(age.map(|age| millis(age.p99_ms)), plain),
    ];
    let dead = figure(
        service.dead_letters.map(count),
        paint.none_is_fine(service.dead_letters),
    );
    if is_wide {
        let instances = match service.instances {
            0 | 1 => String::new(),
            many => format!(" ×{many}"),
        };
        let up = (!is_away).then(|| span(Duration::from_secs(service.uptime_seconds)));
        row.extend([
            figure(
                service.retries.map(count),
                paint.none_is_fine(service.retries),
            ),
            dead,
            figure(up, plain),
            Cell::from(Text::styled(
                format!("{}{instances}", service.version),
                plain,
            )),
        ]);
    } else {
        row.push(dead);
    }
    Row::new(row)
}

/// Lag stands out where it takes longer than a few seconds to be worked off.
fn lag(lag: Option<i64>, per_second: f64, paint: Paint) -> ratatui::style::Style {
    const SECONDS: f64 = 5.0;
    // Lag is far below 2^52.
    #[allow(clippy::cast_precision_loss)]
    let is_backlog = lag.is_some_and(|lag| lag as f64 > (per_second * SECONDS).max(100.0));
    paint.none_is_fine(is_backlog.then_some(1))
}

fn state(state: State) -> &'static str {
    match state {
        State::Ready => "ready",
        State::NotReady => "not ready",
        State::Unreachable => "unreachable",
        State::Unknown => "?",
    }
}
