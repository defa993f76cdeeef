//! The history service, alone in its process.

#[global_allocator]
static ALLOCATOR: chassis::Allocator = chassis::Allocator;

fn main() -> std::process::ExitCode {
    chassis::service::main::<history::History>()
}
