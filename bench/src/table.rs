//! What the bench prints: a line a goal.

use std::{borrow::Cow, fmt, fs, path::Path};

use comfy_table::{CellAlignment, Table as Drawn, presets::ASCII_MARKDOWN};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    figures::{Found, Name},
    plot::Plot,
    series::Series,
};

/// What a line has to reach.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) enum Goal {
    /// Ours over the other.
    RatioAtLeast(f64),
    RatioAtMost(f64),
    /// Ours by itself, in the line's unit.
    AtLeast(f64),
    AtMost(f64),
    /// Nothing: it is there to be compared with.
    None,
}

/// One figure against its goal.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Line {
    /// What was measured, and under what.
    pub(crate) what: String,
    pub(crate) unit: Cow<'static, str>,
    pub(crate) ours: Series,
    /// Against whom.
    pub(crate) other: Option<(String, Series)>,
    pub(crate) goal: Goal,
}

impl Line {
    /// What the goal is about, round by round.
    fn judged(&self) -> Series {
        match (&self.goal, &self.other) {
            (Goal::RatioAtLeast(_) | Goal::RatioAtMost(_), Some((_, other))) => {
                self.ours.over(other)
            }
            _ => self.ours.clone(),
        }
    }

    fn is_met(&self) -> Option<bool> {
        let median = self.judged().median();
        match self.goal {
            Goal::RatioAtLeast(least) | Goal::AtLeast(least) => Some(median >= least),
            Goal::RatioAtMost(most) | Goal::AtMost(most) => Some(median <= most),
            Goal::None => None,
        }
    }

    /// Whether it is worse than half as good as its goal.
    fn is_far_off(&self) -> bool {
        let median = self.judged().median();
        match self.goal {
            Goal::RatioAtLeast(least) => median < least / 2.0 || median.is_nan(),
            Goal::RatioAtMost(most) => median > most * 2.0 || median.is_nan(),
            // Figures without a ratio depend on the machine.
            Goal::AtLeast(_) | Goal::AtMost(_) | Goal::None => false,
        }
    }

    fn ratio(&self) -> Option<Series> {
        self.other.as_ref().map(|(_, other)| self.ours.over(other))
    }

    fn cells(&self) -> [String; 7] {
        let (against, theirs) = match &self.other {
            Some((name, series)) => (name.clone(), number(series.median())),
            None => Default::default(),
        };
        let ratio = self.ratio().map(|ratio| {
            let (least, most) = ratio.spread();
            format!(
                "{} ({} to {})",
                part(ratio.median()),
                part(least),
                part(most)
            )
        });
        let goal = match self.goal {
            Goal::RatioAtLeast(least) => format!("≥ {}×", number(least)),
            Goal::RatioAtMost(most) if most < 1.0 => format!("≤ {}", part(most)),
            Goal::RatioAtMost(most) => format!("≤ {}×", number(most)),
            Goal::AtLeast(least) => format!("≥ {}", number(least)),
            Goal::AtMost(most) => format!("≤ {}", number(most)),
            Goal::None => String::new(),
        };
        let verdict = match self.is_met() {
            Some(true) => "met",
            Some(false) => "missed",
            None => "",
        };
        [
            self.what.clone(),
            format!("{} {}", number(self.ours.median()), self.unit),
            against,
            theirs,
            ratio.unwrap_or_default(),
            goal,
            verdict.to_owned(),
        ]
    }
}

/// All figures of a run.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// When, of what and where it is measured.
    setting: String,
    lines: Vec<Line>,
    plots: Vec<Plot>,
    failures: Vec<(Name, String)>,
}

impl Table {
    pub(crate) fn new(setting: String) -> Self {
        Self {
            setting,
            ..Self::default()
        }
    }

    pub(crate) fn extend(&mut self, found: Found) {
        self.lines.extend(found.lines);
        self.plots.extend(found.plots);
    }

    /// Draws the curves, each into a file of its own.
    pub(crate) fn draw(&self, folder: &Path) -> anyhow::Result<()> {
        fs::create_dir_all(folder)?;
        self.plots.iter().try_for_each(|plot| plot.save(folder))
    }

    pub(crate) fn failed(&mut self, name: Name, error: &anyhow::Error) {
        println!("  failed: {error:#}");
        self.failures.push((name, format!("{error:#}")));
    }

    pub(crate) fn json(&self) -> Value {
        let lines = self.lines.iter().map(|line| {
            json!({
                "what": line.what,
                "unit": line.unit,
                "ours": line.ours.samples(),
                "against": line.other.as_ref().map(|(name, _)| name),
                "theirs": line.other.as_ref().map(|(_, series)| series.samples()),
                "ratio": line.ratio().map(|ratio| ratio.median()),
                "met": line.is_met(),
            })
        });
        let failures = self.failures.iter();
        json!({
            "setting": self.setting,
            "lines": lines.collect::<Value>(),
            "plots": self.plots.iter().map(Plot::json).collect::<Value>(),
            "failures": failures
                .map(|(name, error)| json!({ "figure": format!("{name:?}"), "error": error }))
                .collect::<Value>(),
        })
    }

    /// Fails when a figure could not be measured; in short also when one is far off
    /// its goal. A full run is there to show, not to judge.
    pub(crate) fn guard(&self, quick: bool) -> anyhow::Result<()> {
        let off = self.lines.iter().filter(|line| quick && line.is_far_off());
        let off = off.map(|line| format!("{} is not half as good as its goal", line.what));
        let failed = self.failures.iter();
        let failed = failed.map(|(name, error)| format!("{name:?}: {error}"));
        let wrong: Vec<String> = off.chain(failed).collect();
        anyhow::ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
        Ok(())
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut drawn = Drawn::new();
        drawn.load_style(ASCII_MARKDOWN);
        drawn.set_header([
            "figure",
            "ours",
            "against",
            "theirs",
            "ratio (least to most)",
            "goal",
            "",
        ]);
        for line in &self.lines {
            drawn.add_row(line.cells());
        }
        for column in [1, 3, 4] {
            if let Some(column) = drawn.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        write!(f, "{}\n\n{drawn}", self.setting)?;
        for (name, error) in &self.failures {
            write!(f, "\n{name:?} failed: {error}")?;
        }
        Ok(())
    }
}

/// Three digits that mean something.
fn number(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() {
        "–".to_owned()
    } else if size >= 100.0 {
        format!("{value:.0}")
    } else if size >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

/// A ratio; a small one as one part of so many.
fn part(ratio: f64) -> String {
    if ratio > 0.0 && ratio < 0.1 {
        format!("1/{:.0}", ratio.recip())
    } else {
        number(ratio)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(ours: f64, theirs: f64, goal: Goal) -> Line {
        Line {
            what: "orders".to_owned(),
            unit: "/s".into(),
            ours: [ours].into_iter().collect(),
            other: Some(("them".to_owned(), [theirs].into_iter().collect())),
            goal,
        }
    }

    #[test]
    fn a_goal_is_met_missed_or_far_off() {
        for (ours, theirs, goal, is_met, is_far_off) in [
            (10.0, 1.0, Goal::RatioAtLeast(10.0), true, false),
            (6.0, 1.0, Goal::RatioAtLeast(10.0), false, false),
            (4.0, 1.0, Goal::RatioAtLeast(10.0), false, true),
            (1.0, 3.0, Goal::RatioAtMost(0.5), true, false),
            (2.0, 1.0, Goal::RatioAtMost(0.5), false, true),
            (2.0, 1.0, Goal::AtLeast(100.0), false, false),
        ] {
            let line = line(ours, theirs, goal);
            assert_eq!(line.is_met(), Some(is_met), "{goal:?}");
            assert_eq!(line.is_far_off(), is_far_off, "{goal:?}");
        }
    }

    #[test]
    fn small_ratios_are_parts() {
        assert_eq!(part(1.0 / 448.0), "1/448");
        assert_eq!(part(0.25), "0.25");
        assert_eq!(part(11.7), "11.7");
        assert_eq!(part(f64::NAN), "–");
    }

    #[test]
    fn what_could_not_be_measured_fails_the_guard() {
        let mut table = Table::default();
        table.extend(vec![line(10.0, 1.0, Goal::RatioAtLeast(10.0))].into());
        assert!(table.guard(true).is_ok());
        table.failed(Name::Doors, &anyhow::anyhow!("no Kafka"));
        assert!(table.guard(false).is_err());
    }

    #[test]
    fn what_is_far_off_fails_in_short_only() {
        let mut table = Table::default();
        table.extend(vec![line(4.0, 1.0, Goal::RatioAtLeast(10.0))].into());
        assert!(table.guard(true).is_err());
        assert!(table.guard(false).is_ok());
    }
}
