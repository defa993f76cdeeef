//! A run for people.

use std::{fmt::Write as _, time::Duration};

use super::{
    answer::Outcome, latencies::Latencies, options::Mode, progress::Progress, report::Report,
};
use crate::output::table;

/// Characters of an example that a table shows.
const EXAMPLE: usize = 100;

/// The whole report.
pub(super) fn report(report: &Report) -> String {
    let mut text = headline(report);
    let mut rows = table([
        "OUTCOME", "ORDERS", "P50 ms", "P90 ms", "P99 ms", "P99.9 ms", "MAX ms",
    ]);
    for outcome in Outcome::ALL {
        rows.add_row(row(outcome.as_str(), report.latencies(outcome)));
    }
    rows.add_row(row("began late by", report.late_ones()));
    let _ = write!(
        text,
        "\n{rows}\nsent {} ({:.1}/s), accepted {:.1}/s over {:.1} s",
        report.sent(),
        report.sent_per_second(),
        report.accepted_per_second(),
        report.window().as_secs_f64(),
    );
    for (count, what) in [
        (report.not_sent(), "not sent: too many in flight"),
        (report.unanswered(), "not answered yet"),
        (report.repeated(), "accepted again, by their keys"),
    ] {
        if count > 0 {
            let _ = write!(text, "\n{count} {what}");
        }
    }
    ramp(&mut text, report);
    faults(&mut text, report);
    text
}

fn headline(report: &Report) -> String {
    let options = report.options();
    let what = match options.mode {
        Mode::Open { rate, .. } => format!("open loop, {rate} orders/s"),
        Mode::Closed { clients: 1 } => "closed loop, 1 client".to_owned(),
        Mode::Closed { clients } => format!("closed loop, {clients} clients"),
    };
    format!(
        "{} at {}: {what}, {} connection{}, seed {}{}",
        options.door.as_str(),
        options.target,
        report.connections(),
        if report.connections() == 1 { "" } else { "s" },
        options.seed,
        if report.is_interrupted() {
            "; ended early"
        } else {
            ""
        },
    )
}

fn row(name: &str, latencies: &Latencies) -> [String; 7] {
    let count = latencies.count();
    let shown = |time: Duration| {
        if count == 0 {
            "-".to_owned()
        } else {
            millis(time)
        }
    };
    let at = |percentile| shown(latencies.percentile(percentile));
    [
        name.to_owned(),
        count.to_string(),
        at(50.0),
        at(90.0),
        at(99.0),
        at(99.9),
        shown(latencies.max()),
    ]
}

fn ramp(text: &mut String, report: &Report) {
    let ramp = report.ramp();
    if ramp.sent + ramp.not_sent == 0 {
        return;
    }
    let _ = write!(text, "\nnot in these figures, the ramp: {} sent", ramp.sent);
    for outcome in Outcome::ALL {
        if ramp.count(outcome) > 0 {
            let _ = write!(text, ", {} {}", ramp.count(outcome), outcome.as_str());
        }
    }
    if ramp.not_sent > 0 {
        let _ = write!(text, ", {} not sent", ramp.not_sent);
    }
}

fn faults(text: &mut String, report: &Report) {
    let faults = report.faults();
    if faults.is_empty() {
        return;
    }
    let mut rows = table(["ERROR", "OUTCOME", "ORDERS", "FOR INSTANCE"]);
    for fault in faults {
        rows.add_row([
            fault.kind,
            fault.outcome.as_str().to_owned(),
            fault.count.to_string(),
            shortened(&fault.example),
        ]);
    }
    let _ = write!(text, "\n{rows}");
}

/// One line about the last second.
pub(super) fn progress(progress: &Progress) -> String {
    format!(
        "{:>4} s  sent {:>7.1}/s  accepted {:>7.1}/s  p50 {} ms  p99 {} ms  p99.9 {} ms  errors {}",
        progress.elapsed.as_secs(),
        progress.sent_per_second,
        progress.accepted_per_second,
        millis(progress.p50),
        millis(progress.p99),
        millis(progress.p999),
        progress.errors,
    )
}

/// Three digits, as many as are known.
fn millis(time: Duration) -> String {
    let millis = time.as_secs_f64() * 1_000.0;
    if millis < 10.0 {
        format!("{millis:.2}")
    } else if millis < 100.0 {
        format!("{millis:.1}")
    } else {
        format!("{millis:.0}")
    }
}

fn shortened(text: &str) -> String {
    let mut line: String = text.chars().take(EXAMPLE).collect();
    if line.len() < text.len() {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            answer::Why,
            options::{Door, Options},
            tally::Tally,
        },
        *,
    };

    #[test]
    fn times_show_three_digits() {
        for (micros, shown) in [
            (0, "0.00"),
            (870, "0.87"),
            (9_870, "9.87"),
            (12_340, "12.3"),
            (1_234_000, "1234"),
        ] {
            assert_eq!(millis(Duration::from_micros(micros)), shown);
        }
    }

    #[test]
    fn a_report_says_mode_counts_ramp_and_errors() {
        let mut tally = Tally::new();
        tally.steady.sent = 3;
        tally.steady.not_sent = 4;
        tally.ramp.sent = 1;
        let time = Duration::from_millis(25);
        tally.steady.of_mut(Outcome::Accepted).record(time);
        tally.steady.of_mut(Outcome::Failed).record(time);
        tally.ramp.of_mut(Outcome::Accepted).record(time);
        let why = Why {
            kind: "connection".to_owned(),
            message: "reset ".repeat(100),
        };
        tally.fault(Outcome::Failed, why);
        let mode = Mode::Open {
            rate: 200,
            ramp: Duration::from_secs(5),
        };
        let options = Options::new(Door::Grpc, mode);
        let report = Report::new(&options, tally, Duration::from_secs(2), true);
        let text = self::report(&report);
        for part in [
            "gRPC at 127.0.0.1:50051: open loop, 200 orders/s, 8 connections",
            "ended early",
            "4 not sent",
            "1 not answered yet",
            "the ramp: 1 sent, 1 accepted",
            "connection",
            "…",
            "25.0",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
