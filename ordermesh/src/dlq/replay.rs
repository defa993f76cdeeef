//! `ordermesh dlq replay`: puts dead letters back.

use std::fmt;

use chassis::kafka::{
    KafkaOptions,
    dead_letters::{self, DeadLetter, REMEMBERED, Triage},
};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::{
    arguments::{Filter, When},
    find,
};
use crate::{layout::CONSUMERS, output::Format};

#[derive(Debug, Args)]
pub(crate) struct Replay {
    #[command(flatten)]
    filter: Filter,
    /// All of them; needed when no id and no filter is given.
    #[arg(long)]
    all: bool,
    /// Only says what would be put back.
    #[arg(long)]
    dry_run: bool,
    /// At most so many a second.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: Option<u32>,
    /// Also events so old that services no longer know whether they took effect.
    #[arg(long)]
    force: bool,
}

/// What became of the letters that were asked for.
#[derive(Debug)]
struct Outcome {
    dry_run: bool,
    /// Put back, or would be.
    replayed: usize,
    before: usize,
    too_old: usize,
}

impl Replay {
    pub(super) fn run(&self, options: &KafkaOptions, format: Format) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.all || !self.filter.is_empty(),
            "say which: by id, by a filter such as --service, or --all"
        );
        let found = find(options, &self.filter)?;
        let Triage {
            waiting,
            before,
            too_old,
        } = Triage::of(found, When::now().millis(), self.force);
        if !self.dry_run {
            self.put_back(options, &waiting, &progress(waiting.len(), format))?;
        }
        let outcome = Outcome {
            dry_run: self.dry_run,
            replayed: waiting.len(),
            before: before.len(),
            too_old: too_old.len(),
        };
        format.print(&outcome.json(), &outcome);
        Ok(())
    }

    fn put_back(
        &self,
        options: &KafkaOptions,
        letters: &[DeadLetter],
        bar: &ProgressBar,
    ) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        for service in CONSUMERS {
            let of_service: Vec<DeadLetter> = letters
                .iter()
                .filter(|letter| letter.service == service)
                .cloned()
                .collect();
            if of_service.is_empty() {
                continue;
            }
            let replaying =
                dead_letters::replay(options, service, &of_service, self.rate, || bar.inc(1));
            // What was put back is; the same command goes on from there.
            runtime.block_on(replaying).map_err(|error| {
                bar.abandon();
                error.context(format!("{} were put back; run it again", bar.position()))
            })?;
        }
        bar.finish_and_clear();
        Ok(())
    }
}

impl Outcome {
    fn json(&self) -> Value {
        json!({
            "dryRun": self.dry_run,
            "replayed": self.replayed,
            "replayedBefore": self.before,
            "tooOld": self.too_old,
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = if self.dry_run {
            "would be put back"
        } else {
            "put back"
        };
        write!(f, "{} {verb}", self.replayed)?;
        if self.before > 0 {
            write!(f, "; {} had been before", self.before)?;
        }
        if self.too_old > 0 {
            write!(
                f,
                "; {} are of events older than {} days, whose effects services may have \
                 forgotten: --force puts them back all the same",
                self.too_old,
                REMEMBERED.as_secs() / 86_400
            )?;
        }
        f.write_str(".")
    }
}

/// To standard error, and only on a terminal.
fn progress(length: usize, format: Format) -> ProgressBar {
    if format == Format::Json {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} {per_sec} {eta}");
    let bar = ProgressBar::new(length as u64);
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
