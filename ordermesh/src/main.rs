//! `ordermesh`: everything in one process, and the operator's commands.

use std::process::ExitCode;

use clap::Parser as _;

#[global_allocator]
static ALLOCATOR: chassis::allocator::Allocator = chassis::allocator::Allocator;

/// Memory that is not used goes back at once, which takes some CPU time: here all services and
/// a broker share one process, to try out and to develop with (`docs/adr/0005-allocator.md`).
///
/// jemalloc finds this by its name, and reads it after what it was built with and before
/// `MALLOC_CONF` (jemalloc(3), TUNING): the address of a C string.
// The name and the type are jemalloc's.
#[allow(unsafe_code)]
#[unsafe(export_name = "malloc_conf")]
static MALLOC_CONF: &[u8; 17] = b"dirty_decay_ms:0\0";

fn main() -> ExitCode {
    ordermesh::run(ordermesh::Arguments::parse())
}
