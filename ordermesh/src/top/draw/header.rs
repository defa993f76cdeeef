//! The first lines and the last: whose system, whether it is seen, which keys.

use ratatui::{
    buffer::Buffer,
    layout::{Constraint, Layout, Rect},
    text::{Line, Span},
    widgets::Widget as _,
};

use super::paint::Paint;
use crate::{
    top::view::{Link, View},
    words::{per_second, span},
};

pub(super) fn draw(view: &View, paint: Paint, area: Rect, cells: &mut Buffer) {
    let [first, second] = Layout::vertical([Constraint::Length(1); 2]).areas(area);
    let clock = view.now.strftime("%H:%M:%S UTC").to_string();
    let [name, time] = Layout::horizontal([
        Constraint::Fill(1),
        Constraint::Length(super::width(&clock)),
    ])
    .areas(first);
    let accepted = view.model.services.as_ref().map_or_else(
        || "–".to_owned(),
        |services| per_second(services.accepted_per_second),
    );
    Line::from(vec![
        Span::styled("ordermesh", Paint::head()),
        Span::raw(format!("  {}  ", view.address)),
        Span::styled(accepted, paint.plain().patch(Paint::head())),
        Span::styled(" accepted", paint.plain()),
    ])
    .render(name, cells);
    Line::styled(clock, Paint::quiet()).render(time, cells);
    link(view, paint).render(second, cells);
}

/// One line of how the connection is.
fn link(view: &View, paint: Paint) -> Line<'static> {
    match &view.link {
        Link::Connecting => Line::styled("connecting …", Paint::quiet()),
        Link::Live if view.is_held => Line::styled("held; Space goes on", paint.odd()),
        Link::Live => Line::styled("live", paint.good()),
        Link::Lost {
            since,
            why,
            again_in,
        } => {
            let what = if view.model.services.is_some() {
                format!("lost for {}", span(since.elapsed()))
            } else {
                "not connected".to_owned()
            };
            Line::styled(
                format!("{what}: {why}; trying again every {}", pause(*again_in)),
                paint.bad(),
            )
        }
    }
}

fn pause(time: std::time::Duration) -> String {
    if time.as_secs() == 0 {
        "second".to_owned()
    } else {
        span(time)
    }
}

/// The last line.
pub(super) fn keys(view: &View, area: Rect, cells: &mut Buffer) {
    let space = if view.is_held { "go on" } else { "hold" };
    Line::styled(format!("q quit · Space {space}"), Paint::quiet()).render(area, cells);
}
