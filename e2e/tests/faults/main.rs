//! The fault suite: hurts the system under load and counts, by asking databases,
//! topics and the mail sink directly, what was lost and what was doubled.
//!
//! | variable | what it does |
//! |---|---|
//! | `FAULTS=full` | the full counts; otherwise a short form that takes minutes |
//! | `ROWS=1,9` | only these rows |
//! | `FAULT_MISTAKE=NAME` | the services make this mistake, and the suite must notice |
//! | `FAULTS_JSON=FILE` | writes the table as JSON, too |

// The table is what this is for.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod audit;
mod baseline;
mod load;
mod rows;
mod table;
mod world;

use std::{process::ExitCode, time::Duration};

use testkit::harness::{Needs, Suite};

use crate::{rows::Size, table::Table, world::World};

fn main() -> ExitCode {
    let size = match std::env::var("FAULTS").as_deref() {
        Ok("full") => Size::Full,
        _ => Size::Short,
    };
    let limit = match size {
        Size::Short => Duration::from_secs(15 * 60),
        Size::Full => Duration::from_secs(6 * 60 * 60),
    };
    Suite::new()
        .timeout(limit)
        .test(
            "what is accepted takes effect once, whatever dies",
            [Needs::Kafka, Needs::Postgres],
            move || all(size),
        )
        .run()
}

async fn all(size: Size) -> anyhow::Result<()> {
    let wanted = std::env::var("ROWS").ok();
    let wanted: Option<Vec<&str>> = wanted.as_deref().map(|rows| rows.split(',').collect());
    let known: Vec<String> = rows::all()
        .iter()
        .map(|row| row.number.to_string())
        .collect();
    for row in wanted.iter().flatten() {
        anyhow::ensure!(known.iter().any(|known| known == row), "ROWS: no row {row}");
    }
    let slack = match size {
        Size::Short => 3,
        Size::Full => 1,
    };
    let mut world = World::start(slack).await?;
    let mut table = Table::default();
    for row in rows::all() {
        let number = row.number.to_string();
        let is_wanted = match &wanted {
            Some(wanted) => wanted.contains(&&*number),
            None => row.in_short || size == Size::Full,
        };
        if !is_wanted {
            continue;
        }
        println!("row {number}: {} …", row.fault);
        let outcome = rows::run(&row, &mut world, size).await;
        if let Err(error) = &outcome {
            println!("  failed: {error:#}");
            // Later rows would count what this one left behind.
            world = World::start(slack).await?;
        }
        table.add(&row, outcome);
    }
    println!("\n{table}");
    if let Ok(mistake) = std::env::var("FAULT_MISTAKE") {
        anyhow::ensure!(table.has_failed(), "nobody noticed the mistake {mistake}");
        println!("{mistake} was noticed: {}", table.verdict().unwrap_err());
        return Ok(());
    }
    if let Ok(file) = std::env::var("FAULTS_JSON") {
        std::fs::write(file, table.json().to_string())?;
    }
    world.stop().await?;
    table.verdict()
}
