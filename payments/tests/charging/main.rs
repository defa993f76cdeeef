//! One charge, one outcome and one event for each order: with processes that die
//! or freeze at every point of the way, and with everything else that can come.

mod deaths;
mod orders;
#[path = "../support/mod.rs"]
mod support;
mod sweeps;
mod trap;
mod world;

use std::process::ExitCode;

use testkit::harness::Suite;

fn main() -> ExitCode {
    let suite = sweeps::add(orders::add(Suite::new()));
    deaths::add(suite).run()
}
