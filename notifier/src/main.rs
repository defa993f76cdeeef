//! The notifier service, alone in its process.

#[global_allocator]
static ALLOCATOR: chassis::allocator::Allocator = chassis::allocator::Allocator;

fn main() -> std::process::ExitCode {
    chassis::service::main::<notifier::Notifier>()
}
