//! The harness, seen from outside: this binary runs itself as a suite of tests
//! that pass, fail, panic, hang or need what is not there.

use std::env;
use std::future::pending;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{bail, ensure};
use testkit::harness::{Needs, Suite, Test};
use testkit::process::Scratch;
use tokio::task::spawn_blocking;

/// Set in the runs under test.
const ROLE: &str = "TESTKIT_ROLE";

fn main() -> ExitCode {
    if env::var_os(ROLE).is_some() {
        return subject().run();
    }
    Suite::new()
        .test("outcomes_are_told_apart", [], outcomes_are_told_apart)
        .test("unmet_needs_are_ignored", [], unmet_needs_are_ignored)
        .test("unmet_needs_fail_in_ci", [], unmet_needs_fail_in_ci)
        .test("options_are_libtests_own", [], options_are_libtests_own)
        .on_both_databases("each_test_has_its_own", async |url| {
            ensure!(
                url.starts_with("sqlite:///") || url.starts_with("postgres://"),
                "{url}"
            );
            Ok(())
        })
        .run()
}

/// The suite under test.
fn subject() -> Suite {
    Suite::new()
        .test("passes", [], async || Ok(()))
        .test("fails", [], async || bail!("on purpose"))
        .test("panics", [], async || panic!("in passing"))
        .test("needs_kafka", [Needs::Kafka], async || Ok(()))
        .test("needs_postgres", [Needs::Postgres], async || Ok(()))
        .tests([Test::new("hangs", pending).timeout(Duration::from_millis(50))])
}

/// A run of the suite under test on a machine that has no program at all.
async fn run(
    arguments: &'static [&'static str],
    ci: &'static str,
) -> anyhow::Result<(i32, String)> {
    let nothing = Scratch::new("harness")?;
    let mut command = Command::new(env::current_exe()?);
    command
        .args(arguments)
        .env(ROLE, "subject")
        .env("PATH", nothing.path())
        .env("ORDERMESH_CACHE", nothing.path())
        .env("CI", ci);
    let output = spawn_blocking(move || command.output()).await??;
    let text = String::from_utf8(output.stdout)? + &String::from_utf8(output.stderr)?;
    Ok((output.status.code().unwrap_or(-1), text))
}

fn expect(text: &str, parts: &[&str]) -> anyhow::Result<()> {
    for part in parts {
        ensure!(text.contains(part), "no {part:?} in:\n{text}");
    }
    Ok(())
}

async fn outcomes_are_told_apart() -> anyhow::Result<()> {
    let (code, text) = run(&["--test-threads", "1", "--skip", "needs"], "").await?;
    ensure!(code == 101, "exit code {code}");
    expect(
        &text,
        &[
            "on purpose",
            "panicked: in passing",
            "did not end within its time limit of 50ms",
            "1 passed; 3 failed; 0 ignored",
        ],
    )
}

async fn unmet_needs_are_ignored() -> anyhow::Result<()> {
    let (code, text) = run(&["needs"], "").await?;
    ensure!(code == 0, "exit code {code}");
    expect(
        &text,
        &[
            "`java` is not in PATH",
            "`mvn` is not in PATH",
            "0 passed; 0 failed; 2 ignored",
        ],
    )
}

async fn unmet_needs_fail_in_ci() -> anyhow::Result<()> {
    let (code, text) = run(&["needs"], "true").await?;
    ensure!(code == 101, "exit code {code}");
    expect(
        &text,
        &[
            "`java` is not in PATH",
            "`mvn` is not in PATH",
            "0 passed; 2 failed; 0 ignored",
        ],
    )
}

async fn options_are_libtests_own() -> anyhow::Result<()> {
    let (code, text) = run(&["--exact", "passes", "--nocapture"], "").await?;
    ensure!(code == 0, "exit code {code}");
    expect(&text, &["1 passed; 0 failed", "5 filtered out"])?;
    let (code, text) = run(&["--list"], "").await?;
    ensure!(code == 0, "exit code {code}");
    expect(&text, &["passes: test", "hangs: test"])
}
