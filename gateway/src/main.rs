//! The gateway as a process of its own.

#[global_allocator]
static ALLOCATOR: chassis::allocator::Allocator = chassis::allocator::Allocator;

fn main() -> std::process::ExitCode {
    chassis::service::main::<gateway::Gateway>()
}
