//! The picture on a terminal, until somebody has seen enough.
//!
//! Invariant: however it ends, by key, signal, refusal or panic, the terminal is as
//! it was before.

use std::{thread, time::Duration};

use jiff::Timestamp;
use ratatui::{
    DefaultTerminal,
    crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers},
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};

use super::{draw, follow::News, view::View};

/// Drawn at least so often: clocks move without news, too.
const TICK: Duration = Duration::from_secs(1);

/// Gives the terminal back when dropped, wherever that is.
struct Screen(DefaultTerminal);

impl Screen {
    /// Takes the terminal; a panic gives it back as well.
    fn take() -> std::io::Result<Self> {
        ratatui::try_init().map(Self)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    End,
    Hold,
}

/// Draws what comes until a key or a signal ends it.
pub(super) async fn show(view: &mut View, mut news: mpsc::Receiver<News>) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let mut screen = Screen::take()?;
    let mut keys = events();
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let is_news = tokio::select! {
            one = news.recv() => match one {
                Some(one) => {
                    view.learn(one);
                    !view.is_held
                }
                None => return Ok(()),
            },
            key = keys.recv() => match key {
                Some(Event::Key(key)) => match wish(key) {
                    Some(Wish::End) => return Ok(()),
                    Some(Wish::Hold) => {
                        view.is_held = !view.is_held;
                        true
                    }
                    None => false,
                },
                // The window may have a new size.
                Some(_) => true,
                None => return Ok(()),
            },
            _ = ticks.tick() => !view.is_held,
            _ = terminate.recv() => return Ok(()),
            _ = hang_up.recv() => return Ok(()),
        };
        if is_news {
            view.now = Timestamp::now();
            screen
                .0
                .draw(|frame| draw::draw(view, frame.area(), frame.buffer_mut()))?;
        }
    }
}

/// Keys and new sizes. Reading them blocks, so it has a thread of its own; that
/// ends with the process.
fn events() -> mpsc::Receiver<Event> {
    let (sender, receiver) = mpsc::channel(16);
    thread::spawn(move || {
        while let Ok(event) = event::read() {
            if sender.blocking_send(event).is_err() {
                break;
            }
        }
    });
    receiver
}

fn wish(key: KeyEvent) -> Option<Wish> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Char('c') if is_control => Some(Wish::End),
        KeyCode::Char('q') | KeyCode::Esc => Some(Wish::End),
        KeyCode::Char(' ') => Some(Wish::Hold),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_end_it_or_hold_it() {
        let key = |code, modifiers| wish(KeyEvent::new(code, modifiers));
        let none = KeyModifiers::NONE;
        assert_eq!(key(KeyCode::Char('q'), none), Some(Wish::End));
        assert_eq!(key(KeyCode::Esc, none), Some(Wish::End));
        let control = KeyModifiers::CONTROL;
        assert_eq!(key(KeyCode::Char('c'), control), Some(Wish::End));
        assert_eq!(key(KeyCode::Char('c'), none), None);
        assert_eq!(key(KeyCode::Char(' '), none), Some(Wish::Hold));
    }
}
