//! Colours that mean something. Nothing is told by a colour alone.

use ratatui::style::{Color, Modifier, Style};

use crate::top::{model::State, view::View};

/// The styles of one picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint {
    has_colours: bool,
    /// What is shown may be over.
    is_stale: bool,
}

impl Paint {
    pub(super) fn new(view: &View) -> Self {
        Self {
            has_colours: view.has_colours,
            is_stale: view.is_stale(),
        }
    }

    /// Of figures and texts.
    pub(super) fn plain(self) -> Style {
        if self.is_stale {
            Self::quiet()
        } else {
            Style::new()
        }
    }

    pub(super) fn quiet() -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// Of what stands above a list.
    pub(super) fn head() -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    pub(super) fn good(self) -> Style {
        self.coloured(Color::Green)
    }

    /// Of what somebody may want to look at.
    pub(super) fn odd(self) -> Style {
        self.coloured(Color::Yellow)
    }

    /// Of what somebody should look at.
    pub(super) fn bad(self) -> Style {
        self.coloured(Color::Red).add_modifier(Modifier::BOLD)
    }

    pub(super) fn state(self, state: State) -> Style {
        match state {
            _ if self.is_stale => Self::quiet(),
            State::Ready => self.good(),
            State::NotReady => self.odd(),
            State::Unreachable => self.bad(),
            State::Unknown => self.plain(),
        }
    }

    /// Of a count that should be none.
    pub(super) fn none_is_fine(self, count: Option<i64>) -> Style {
        match count {
            Some(1..) if !self.is_stale => self.odd(),
            _ => self.plain(),
        }
    }

    /// Of what changes colour only while it is true.
    fn coloured(self, colour: Color) -> Style {
        if self.has_colours {
            Style::new().fg(colour)
        } else {
            Style::new()
        }
    }
}
