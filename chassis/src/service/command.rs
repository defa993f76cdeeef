//! The command line of a single service.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use super::{DRAIN_LIMIT, Running, Service, prepare};
use crate::config::{Config, EXIT_CODE, Origin};

#[derive(Parser)]
#[command(version, about = "One service of Ordermesh.")]
struct Arguments {
    /// A TOML file with settings; the environment stands above it.
    #[arg(long, global = true, env = "ORDERMESH_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the service until SIGTERM or Ctrl-C; this is the default.
    Run,
    /// Lists every setting with its value, where that came from and what it is for.
    Config {
        /// Prints JSON.
        #[arg(long)]
        json: bool,
    },
    /// Exits 0 when the service on this machine is ready; for images without a shell.
    Healthcheck,
}

/// A service's whole `main`.
pub fn main<S: Service>() -> ExitCode {
    let arguments = Arguments::parse();
    let mut config = Config::load(arguments.config.as_deref(), Config::process_environment());
    let prepared = prepare::<S>(&mut config);
    match arguments.command.unwrap_or(Command::Run) {
        Command::Config { json } => {
            print_config(&config, json);
            finish(config)
        }
        Command::Healthcheck => healthcheck(prepared.admin_address()),
        Command::Run => {
            if let Err(error) = config.finish() {
                complain(&error);
                return ExitCode::from(EXIT_CODE);
            }
            match prepared.start().map(run) {
                Ok(code) => code,
                Err(error) => {
                    complain(&format_args!("{error:#}"));
                    ExitCode::FAILURE
                }
            }
        }
    }
}

fn finish(config: Config) -> ExitCode {
    match config.finish() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::from(EXIT_CODE)
        }
    }
}

/// Runs until told to stop, or until a part failed; then drains.
fn run(mut service: Running) -> ExitCode {
    let handle = service.handle();
    let failure = handle.block_on(async {
        tokio::select! {
            result = stop_signal() => result.err(),
            error = service.failed() => Some(error),
        }
    });
    if let Some(error) = &failure {
        complain(&format_args!("{error:#}"));
    }
    watch_over_drain(&handle);
    match service.drain() {
        Ok(_) if failure.is_none() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            complain(&format_args!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Ends at the first SIGTERM or SIGINT.
pub async fn stop_signal() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Caps a drain from outside: a second signal, or a drain that hangs where no
/// timer reaches it (a blocked thread), ends the process at once.
pub fn watch_over_drain(handle: &tokio::runtime::Handle) {
    handle.spawn(async {
        if stop_signal().await.is_ok() {
            std::process::exit(130);
        }
    });
    std::thread::spawn(|| {
        std::thread::sleep(DRAIN_LIMIT + Duration::from_secs(4));
        complain(&"the drain hung and was cut off; what was in hand will be redelivered");
        std::process::exit(1);
    });
}

/// Standard error may be closed; then there is nobody to tell.
fn complain(error: &dyn std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "error: {error}");
}

fn print_config(config: &Config, json: bool) {
    let mut out = std::io::stdout().lock();
    for setting in config.described() {
        let origin = match setting.origin {
            Origin::Default => "default",
            Origin::File => "file",
            Origin::Environment => "environment",
        };
        let _ = if json {
            let line = serde_json::json!({
                "key": setting.key, "value": setting.value, "default": setting.default,
                "origin": origin, "help": setting.help,
            });
            writeln!(out, "{line}")
        } else {
            writeln!(
                out,
                "# {}\n{}={}  ({origin})\n",
                setting.help, setting.key, setting.value
            )
        };
    }
}

/// Asks the admin server's `/readyz` on this machine.
fn healthcheck(mut address: SocketAddr) -> ExitCode {
    const PATIENCE: Duration = Duration::from_secs(2);
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream
            .write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.take(16 * 1024).read_to_string(&mut answer)?;
        if !answer.starts_with("HTTP/1.1 200") {
            complain(&answer.lines().last().unwrap_or("no answer"));
        }
        Ok(answer.starts_with("HTTP/1.1 200"))
    };
    match ask() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            complain(&format_args!("{address}: {error}"));
            ExitCode::FAILURE
        }
    }
}
