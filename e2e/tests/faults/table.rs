//! What the suite prints.

use std::{fmt, time::Duration};

use serde_json::{Value, json};

use crate::rows::{Measured, Row};

/// A line a row.
#[derive(Debug, Default)]
pub(crate) struct Table(Vec<Line>);

#[derive(Debug)]
struct Line {
    number: u32,
    fault: &'static str,
    outcome: Result<Measured, String>,
}

impl Table {
    pub(crate) fn add(&mut self, row: &Row, outcome: anyhow::Result<Measured>) {
        self.0.push(Line {
            number: row.number,
            fault: row.fault,
            outcome: outcome.map_err(|error| format!("{error:#}")),
        });
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.0.iter().any(|line| line.outcome.is_err())
    }

    /// Fails when a row did.
    pub(crate) fn verdict(&self) -> anyhow::Result<()> {
        let failures: Vec<String> = self
            .0
            .iter()
            .filter_map(|line| {
                let error = line.outcome.as_ref().err()?;
                Some(format!("row {} ({}): {error}", line.number, line.fault))
            })
            .collect();
        anyhow::ensure!(failures.is_empty(), "{}", failures.join("\n"));
        Ok(())
    }

    pub(crate) fn json(&self) -> Value {
        self.0
            .iter()
            .map(|line| match &line.outcome {
                Ok(measured) => json!({
                    "row": line.number,
                    "fault": line.fault,
                    "count": measured.count,
                    "orders": measured.orders,
                    "lost": measured.lost,
                    "doubled": measured.doubled,
                    "recoveryP50Ms": millis(measured.recovery(50)),
                    "recoveryMaxMs": millis(measured.recovery(100)),
                    "note": measured.note,
                }),
                Err(error) => json!({ "row": line.number, "fault": line.fault, "error": error }),
            })
            .collect()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| # | fault | count | orders | lost | doubled | recovery p50 | max | |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|---|---|")?;
        for line in &self.0 {
            let Line { number, fault, .. } = line;
            match &line.outcome {
                Ok(measured) => writeln!(
                    f,
                    "| {number} | {fault} | {} | {} | {} | {} | {} | {} | {} |",
                    measured.count,
                    measured.orders,
                    measured.lost,
                    measured.doubled,
                    seconds(measured.recovery(50)),
                    seconds(measured.recovery(100)),
                    measured.note,
                )?,
                Err(_) => writeln!(f, "| {number} | {fault} | failed | | | | | | |")?,
            }
        }
        Ok(())
    }
}

fn seconds(time: Option<Duration>) -> String {
    time.map_or_else(String::new, |time| format!("{:.1} s", time.as_secs_f64()))
}

fn millis(time: Option<Duration>) -> Value {
    time.map_or(Value::Null, |time| json!(time.as_millis()))
}
