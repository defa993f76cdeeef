//! The analytics service as a process of its own.

fn main() -> std::process::ExitCode {
    chassis::service::main::<analytics::Analytics>()
}
