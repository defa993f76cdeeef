//! The line that shows how it goes. It goes to standard error, so that the report
//! can be piped away.

use std::io::{self, IsTerminal as _, Write as _};

use indicatif::{ProgressBar, ProgressStyle};

use super::{progress::Progress, render};
use crate::output::Format;

/// Where the line is shown.
#[derive(Debug)]
pub(super) enum Line {
    /// Written over itself, on a terminal.
    Over(ProgressBar),
    /// Below the last one, in a log.
    Below,
    /// Not at all.
    None,
}

impl Line {
    pub(super) fn new(format: Format) -> Self {
        if format == Format::Json {
            return Self::None;
        }
        if !io::stderr().is_terminal() {
            return Self::Below;
        }
        let style = ProgressStyle::with_template("{msg}");
        let bar = ProgressBar::no_length();
        Self::Over(bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner())))
    }

    pub(super) fn show(&self, progress: &Progress) {
        match self {
            Self::Over(bar) => bar.set_message(render::progress(progress)),
            Self::Below => {
                // A closed pipe is no reason to stop.
                let _ = writeln!(io::stderr(), "{}", render::progress(progress));
            }
            Self::None => {}
        }
    }

    /// Leaves the place to the report.
    pub(super) fn end(&self) {
        if let Self::Over(bar) = self {
            bar.finish_and_clear();
        }
    }
}
