//! `bench`: runs ours beside its peers, in alternation, on the same Kafka and
//! PostgreSQL, and prints ratios.
//!
//! Machines differ, and one machine differs from minute to minute; so nothing is
//! compared that was not measured in the same run, one right after the other,
//! and what counts is the median over the rounds. The spread stands beside it.

// Figures are what this is for.
#![allow(clippy::print_stdout)]

mod cpu;
mod figures;
mod kept;
mod lab;
mod limits;
mod load;
mod mesh;
mod orders;
mod peers;
mod plot;
mod progress;
mod series;
mod setting;
mod spent;
mod table;

use std::{
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::{Parser, Subcommand};
use serde::{Deserialize, Serialize};

use crate::{figures::Name, kept::Kept, lab::Lab, table::Table};

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "bench",
    about = "Measures Ordermesh against its peers, in ratios"
)]
struct Arguments {
    #[command(subcommand)]
    limit: Option<Limit>,
    /// Which figures; all unless told otherwise.
    #[arg(value_enum)]
    figures: Vec<Name>,
    /// How often each contender has its turn; the median counts.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=50))]
    rounds: u32,
    /// How long each turn under load takes, in seconds.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Few rounds, short turns and small backlogs; fails when a ratio is below half
    /// of its goal.
    #[arg(long)]
    quick: bool,
    /// How many orders are in store for the cost of an order among many.
    #[arg(long, default_value_t = 5_000_000, value_parser = clap::value_parser!(i64).range(1..=100_000_000))]
    store: i64,
    /// Draws the curves into this folder, as SVG.
    #[arg(long, value_name = "FOLDER")]
    plots: Option<PathBuf>,
    /// Keeps each figure in this folder as soon as it is measured, and takes those
    /// that are there already: of this commit, on this machine, by the same rounds and
    /// seconds.
    #[arg(long, value_name = "FOLDER")]
    resume: Option<PathBuf>,
    /// Writes the table and every sample as JSON, too.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Runs one of the limits as a server of its own; the bench starts these itself.
#[derive(Debug, Subcommand)]
enum Limit {
    /// axum alone: answers 202 to any JSON.
    LimitAxum(limits::axum::Arguments),
    /// axum and rdkafka with nothing around them: one record a request.
    LimitAxumKafka(limits::axum::KafkaArguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.limit {
        Some(Limit::LimitAxum(arguments)) => limits::axum::alone(arguments),
        Some(Limit::LimitAxumKafka(arguments)) => limits::axum::with_kafka(arguments),
        None => measure(arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// How much is measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) rounds: u32,
    /// One contender's turn.
    pub(crate) turn: Duration,
    pub(crate) quick: bool,
    /// Orders in store where many are to be.
    pub(crate) store: i64,
}

impl Plan {
    /// The first in short, the second in full.
    pub(crate) fn of<T>(&self, quick: T, full: T) -> T {
        if self.quick { quick } else { full }
    }
}

fn measure(arguments: Arguments) -> anyhow::Result<()> {
    let plan = if arguments.quick {
        Plan {
            rounds: 3,
            turn: Duration::from_secs(2),
            quick: true,
            store: arguments.store,
        }
    } else {
        Plan {
            rounds: arguments.rounds,
            turn: Duration::from_secs(arguments.seconds),
            quick: false,
            store: arguments.store,
        }
    };
    let kept = match &arguments.resume {
        Some(folder) => Some(Kept::new(folder, plan, &setting::place())?),
        None => None,
    };
    let names = figures::chosen(&arguments.figures, plan);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let table = runtime.block_on(async {
        let table = all(plan, &names, kept.as_ref()).await;
        testkit::process::shutdown_all().await;
        table
    })?;
    println!("\n{table}");
    if let Some(folder) = arguments.plots {
        table.draw(&folder)?;
    }
    if let Some(file) = arguments.json {
        std::fs::write(file, table.json().to_string())?;
    }
    table.guard(plan.quick)
}

async fn all(plan: Plan, names: &[Name], kept: Option<&Kept>) -> anyhow::Result<Table> {
    let mut table = Table::new(setting::describe());
    let mut lab = None;
    for name in names {
        if let Some(found) = kept.and_then(|kept| kept.find(*name).transpose()) {
            println!("{name:?}: measured before");
            table.extend(found?);
            continue;
        }
        let lab = match &mut lab {
            Some(lab) => lab,
            // All of it may have been measured before.
            none => none.insert(Lab::start(plan).await?),
        };
        println!("{name:?} …");
        let begin = Instant::now();
        match figures::measure(*name, lab).await {
            Ok(found) => {
                println!("{name:?}: {:.0} s", begin.elapsed().as_secs_f64());
                kept.map_or(Ok(()), |kept| kept.keep(*name, &found))?;
                table.extend(found);
            }
            Err(error) => table.failed(*name, &error),
        }
    }
    Ok(table)
}
