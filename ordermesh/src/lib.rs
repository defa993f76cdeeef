//! `ordermesh`: everything in one process, and the operator's commands.

mod addresses;
mod dlq;
mod layout;
pub mod load;
mod order;
mod output;
mod top;
mod topics;
mod up;
mod words;

use std::{path::PathBuf, process::ExitCode};

use clap::{CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;

pub use layout::{TOPICS, topic_specs};
pub use up::{Mesh, UpOptions};

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "ordermesh",
    version,
    about = "An order-event system: accept in milliseconds, lose nothing."
)]
pub struct Arguments {
    /// Prints JSON for machines instead of tables for people.
    #[arg(long, global = true)]
    json: bool,
    /// A TOML file with settings; the environment stands above it.
    #[arg(long, global = true, env = "ORDERMESH_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs all five services in this process until Ctrl-C, on an embedded broker
    /// and SQLite; with KAFKA__BROKERS set, on that cluster.
    Up(up::UpArguments),
    /// Places orders and looks at them.
    #[command(subcommand)]
    Order(order::OrderCommand),
    /// Makes and lists the topics on a Kafka cluster.
    #[command(subcommand)]
    Topics(topics::TopicsCommand),
    /// Finds, shows, replays and purges dead letters.
    #[command(subcommand)]
    Dlq(dlq::DlqCommand),
    /// Shows the running system: services, rates, lag, newest orders.
    Top(top::TopArguments),
    /// Places orders at a pace and tells how long the answers took.
    Load(load::LoadArguments),
    /// Prints the completions for a shell; see the README for where to put them.
    Completions {
        /// Which shell.
        shell: Shell,
    },
}

/// Runs a command.
pub fn run(arguments: Arguments) -> ExitCode {
    let Arguments {
        json,
        config,
        command,
    } = arguments;
    let format = output::Format::new(json);
    match command {
        Command::Up(arguments) => up::run(&arguments, config.as_deref(), format),
        Command::Order(command) => order::run(command, format),
        Command::Topics(command) => topics::run(&command, config.as_deref(), format),
        Command::Dlq(command) => dlq::run(&command, config.as_deref(), format),
        Command::Top(arguments) => top::run(arguments, format),
        Command::Load(arguments) => load::execute(arguments, format),
        Command::Completions { shell } => {
            let mut command = Arguments::command();
            clap_complete::generate(shell, &mut command, "ordermesh", &mut std::io::stdout());
            ExitCode::SUCCESS
        }
    }
}
