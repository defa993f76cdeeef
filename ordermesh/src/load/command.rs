//! `ordermesh load` on the command line.

use std::{process::ExitCode, time::Duration};

use chassis::{config::Setting as _, service::stop_signal};
use clap::{Args, value_parser};

use super::{
    live::Line,
    options::{
        Door, MOST_CONNECTIONS, MOST_IN_FLIGHT, MOST_PRODUCTS, MOST_RATE, Mix, Mode, Options,
    },
    render, run_until,
};
use crate::output::Format;

#[derive(Debug, Args)]
pub(crate) struct LoadArguments {
    /// Where orders go in.
    #[arg(long, value_enum, default_value = "rest")]
    door: Door,
    /// The door's address, on loopback; default 127.0.0.1:3000 for REST,
    /// 127.0.0.1:50051 for gRPC.
    #[arg(long, value_name = "HOST:PORT")]
    target: Option<String>,
    /// Allows a target that is not on loopback.
    #[arg(long)]
    i_own_this_target: bool,
    /// Orders a second, whatever becomes of them (open loop).
    #[arg(long, value_name = "N", default_value = "200",
        value_parser = value_parser!(u32).range(1..=i64::from(MOST_RATE)))]
    rate: u32,
    /// How long, after the ramp; at most 1h.
    #[arg(long = "for", value_name = "TIME", default_value = "30s", value_parser = time)]
    duration: Duration,
    /// How long the rate grows from nothing; counted on its own.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = time)]
    ramp: Duration,
    /// Instead of a rate: so many callers, each with one order after the other
    /// (closed loop).
    #[arg(long, value_name = "N", conflicts_with_all = ["rate", "ramp", "in_flight"],
        value_parser = value_parser!(u32).range(1..=i64::from(MOST_CONNECTIONS)))]
    clients: Option<u32>,
    /// TCP connections; default 256 for REST, 8 for gRPC, with --clients at most one
    /// for each.
    #[arg(long, value_name = "N",
        value_parser = value_parser!(u32).range(1..=i64::from(MOST_CONNECTIONS)))]
    connections: Option<u32>,
    /// Orders in flight; what goes over is not sent, and reported.
    #[arg(long, value_name = "N", default_value = "10000",
        value_parser = value_parser!(u32).range(1..=i64::from(MOST_IN_FLIGHT)))]
    in_flight: u32,
    /// Products that are sold.
    #[arg(long, value_name = "N", default_value = "1000",
        value_parser = value_parser!(u32).range(1..=i64::from(MOST_PRODUCTS)))]
    products: u32,
    /// How uneven: product k is sold in proportion to 1/k^SKEW (Zipf); 0 is even.
    #[arg(long, default_value = "1.0")]
    skew: f64,
    /// Users who order.
    #[arg(long, value_name = "N", default_value = "100000",
        value_parser = value_parser!(u32).range(1..))]
    users: u32,
    /// Share of orders that repeat an earlier one with its idempotency key, such as
    /// 1%; with 0 no order has a key.
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = share)]
    repeat: f64,
    /// Share of orders whose payment is declined.
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = share)]
    declined: f64,
    /// The same seed gives the same orders.
    #[arg(long, default_value = "1")]
    seed: u64,
}

impl From<LoadArguments> for Options {
    fn from(arguments: LoadArguments) -> Self {
        let LoadArguments { door, .. } = arguments;
        Self {
            door,
            target: arguments
                .target
                .unwrap_or_else(|| door.default_target().to_owned()),
            i_own_this_target: arguments.i_own_this_target,
            mode: match arguments.clients {
                Some(clients) => Mode::Closed { clients },
                None => Mode::Open {
                    rate: arguments.rate,
                    ramp: arguments.ramp,
                },
            },
            duration: arguments.duration,
            connections: arguments.connections,
            in_flight: arguments.in_flight,
            mix: Mix {
                products: arguments.products,
                skew: arguments.skew,
                users: arguments.users,
                repeat: arguments.repeat,
                declined: arguments.declined,
                ..Mix::default()
            },
            seed: arguments.seed,
        }
    }
}

fn time(text: &str) -> Result<Duration, String> {
    Duration::parse(text).ok_or_else(|| format!("must be {}", Duration::EXPECTS))
}

/// `1%` or `0.01`.
fn share(text: &str) -> Result<f64, &'static str> {
    let share = match text.strip_suffix('%') {
        Some(percent) => percent.parse().ok().map(|percent: f64| percent / 100.0),
        None => text.parse().ok(),
    };
    share
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or("must be a share, such as 1% or 0.01")
}

pub(crate) fn execute(arguments: LoadArguments, format: Format) -> ExitCode {
    // One thread: the other processors are for the system.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let line = Line::new(format);
    let result = match runtime {
        Ok(runtime) => runtime.block_on(async {
            let stop = async {
                // Without signals, there is still the end.
                if stop_signal().await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            run_until(arguments.into(), |progress| line.show(progress), stop).await
        }),
        Err(error) => Err(error.into()),
    };
    line.end();
    match result {
        Ok(report) => {
            format.print(&report.json(), render::report(&report));
            if report.is_good() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(error) => format.failed(&error),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        load: LoadArguments,
    }

    fn options(arguments: &[&str]) -> Result<Options, clap::Error> {
        let arguments = ["load"].iter().chain(arguments);
        Line::try_parse_from(arguments).map(|line| line.load.into())
    }

    #[test]
    fn without_arguments_it_is_the_open_loop_over_rest() {
        let options = options(&[]).unwrap();
        options.check().unwrap();
        assert_eq!(options.target, "127.0.0.1:3000");
        assert_eq!(
            options.mode,
            Mode::Open {
                rate: 200,
                ramp: Duration::from_secs(5)
            }
        );
        assert_eq!(options.mix, Mix::default());
    }

    #[test]
    fn each_door_has_its_address() {
        let options = options(&["--door", "grpc", "--clients", "4"]).unwrap();
        assert_eq!(options.target, "127.0.0.1:50051");
        assert_eq!(options.mode, Mode::Closed { clients: 4 });
    }

    #[test]
    fn a_closed_loop_has_no_rate() {
        for other in ["--rate=5", "--ramp=1s", "--in-flight=9"] {
            assert!(options(&["--clients=4", other]).is_err(), "{other}");
        }
    }

    #[test]
    fn shares_are_percentages_or_parts() {
        for (text, value) in [("1%", 0.01), ("0.25", 0.25), ("0", 0.0), ("100%", 1.0)] {
            assert!((share(text).unwrap() - value).abs() < 1e-12, "{text}");
        }
        for wrong in ["", "%", "101%", "-1%", "2", "NaN", "half"] {
            assert!(share(wrong).is_err(), "{wrong}");
        }
    }
}
