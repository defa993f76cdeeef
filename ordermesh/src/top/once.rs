//! The picture, once, as text.

use std::time::Duration;

use ratatui::{buffer::Buffer, layout::Rect};
use tokio::{sync::mpsc, time::Instant};

use super::{draw, follow::News, view::View};
use crate::output::Format;

/// How long is waited for the documents. Whatever a service that is away would tell
/// is left out then.
const PATIENCE: Duration = Duration::from_secs(5);
/// Where there is no window to ask.
const WIDTH: u16 = 100;
const HEIGHT: u16 = 34;

/// Waits until there is something of everything and prints it.
pub(super) async fn print(
    view: &mut View,
    mut news: mpsc::Receiver<News>,
    format: Format,
) -> anyhow::Result<()> {
    let end = Instant::now() + PATIENCE;
    while !view.model.is_whole() {
        match tokio::time::timeout_at(end, news.recv()).await {
            Ok(Some(News::Lost { why, .. })) => anyhow::bail!("{why}"),
            Ok(Some(one)) => {
                view.learn(one);
            }
            Ok(None) | Err(_) => break,
        }
    }
    anyhow::ensure!(
        view.model.services.is_some(),
        "the gateway at {} told nothing within {PATIENCE:?}",
        view.address
    );
    format.print(&view.model.json(), text(view));
    Ok(())
}

/// What would be on the screen.
fn text(view: &View) -> String {
    let width = ratatui::crossterm::terminal::size().map_or(WIDTH, |(width, _)| width);
    let area = Rect::new(0, 0, width.max(draw::LEAST.0), HEIGHT);
    let mut buffer = Buffer::empty(area);
    draw::draw(view, area, &mut buffer);
    let mut lines = draw::lines(&buffer);
    // The keys, which do nothing here.
    lines.pop();
    lines.join("\n").trim_end().to_owned()
}
