//! What every store of history promises, on SQLite and on PostgreSQL.

mod arrival;
mod fixture;
mod plans;
mod reading;
mod writing;

use std::process::ExitCode;

use testkit::harness::Suite;

fn main() -> ExitCode {
    let suite = Suite::new();
    let suite = writing::add(suite);
    let suite = reading::add(suite);
    let suite = plans::add(suite);
    arrival::add(suite).run()
}
