//! The payments service as a process of its own.

#[global_allocator]
static ALLOCATOR: chassis::Allocator = chassis::Allocator;

fn main() -> std::process::ExitCode {
    chassis::service::main::<payments::Payments>()
}
