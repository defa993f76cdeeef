//! The history service, alone in its process.

fn main() -> std::process::ExitCode {
    chassis::service::main::<history::History>()
}
