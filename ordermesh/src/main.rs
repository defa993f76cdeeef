//! `ordermesh`: everything in one process, and the operator's commands.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    ordermesh::run(ordermesh::Arguments::parse())
}
