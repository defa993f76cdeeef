//! Results for people and for machines.

use std::{
    fmt::Display,
    io::{self, Write as _},
    process::ExitCode,
};

use comfy_table::{Table, presets};
use serde_json::{Value, json};

use crate::load::Misuse;

/// What clap ends with when it does not understand, and so do we.
const USAGE: u8 = 2;

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Tables and sentences.
    People,
    /// One JSON value a line.
    Json,
}

impl Format {
    pub(crate) fn new(json: bool) -> Self {
        if json { Self::Json } else { Self::People }
    }

    /// Prints a result. A closed pipe is the reader's way to say "enough".
    pub(crate) fn print(self, json: &Value, people: impl Display) {
        let mut out = io::stdout().lock();
        let _ = match self {
            Self::Json => writeln!(out, "{json}"),
            Self::People => writeln!(out, "{people}"),
        };
        let _ = out.flush();
    }

    /// Prints a line for people only.
    pub(crate) fn tell(self, text: impl Display) {
        if self == Self::People {
            let mut out = io::stdout().lock();
            let _ = writeln!(out, "{text}");
            let _ = out.flush();
        }
    }

    /// Prints a failure to standard error and gives the exit code.
    pub(crate) fn fail(self, error: &Value, people: impl Display) -> ExitCode {
        let mut err = io::stderr().lock();
        let _ = match self {
            Self::Json => writeln!(err, "{error}"),
            Self::People => writeln!(err, "error: {people}"),
        };
        ExitCode::FAILURE
    }

    /// The same for an error with its causes; a misuse has clap's own exit code.
    pub(crate) fn failed(self, error: &anyhow::Error) -> ExitCode {
        let text = format!("{error:#}");
        let code = self.fail(&json!({ "error": text }), &text);
        if error.is::<Misuse>() {
            ExitCode::from(USAGE)
        } else {
            code
        }
    }
}

/// A table, one line a row.
pub(crate) fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_FULL_CONDENSED)
        .set_header(header);
    table
}
