//! One charge, one outcome and one event for each order: with processes that die
//! or freeze at every point of the way, and with everything else that can come.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod batches;
#[path = "../support/database.rs"]
mod database;
mod deaths;
#[path = "../support/orders.rs"]
mod orders;
mod sweeps;
mod trap;
mod world;

use std::process::ExitCode;

use testkit::harness::Suite;

fn main() -> ExitCode {
    let suite = sweeps::add(batches::add(Suite::new()));
    deaths::add(suite).run()
}
