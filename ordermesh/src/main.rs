//! `ordermesh`: everything in one process, and the operator's commands.

use std::process::ExitCode;

use clap::Parser as _;

#[global_allocator]
static ALLOCATOR: chassis::allocator::Allocator = chassis::allocator::Allocator;

fn main() -> ExitCode {
    ordermesh::run(ordermesh::Arguments::parse())
}
