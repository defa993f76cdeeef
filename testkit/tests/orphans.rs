//! Nothing outlives the test process: this binary runs itself, starts servers
//! there, and is killed with SIGKILL, which nothing can be done about in time.

use std::env;
use std::fs;
use std::future::pending;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use rustix::process::{Pid, test_kill_process};
use testkit::harness::{Needs, Suite};
use testkit::kafka::Cluster;
use testkit::postgres::Server;
use testkit::process::{Process, Scratch, Signal, Spec};
use testkit::wait::until;

/// Set in the process that is to be killed: the file for its report.
const REPORT: &str = "TESTKIT_REPORT";

/// Set to anything if its servers are to be paused before that.
const PAUSE: &str = "TESTKIT_PAUSE";

/// A supervisor gives PostgreSQL 5 s to leave; on top of that a busy machine.
const GONE: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    let Some(report) = env::var_os(REPORT) else {
        return suite().run();
    };
    match victim(&PathBuf::from(report)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:?}");
            ExitCode::FAILURE
        }
    }
}

fn suite() -> Suite {
    let needs = [Needs::Kafka, Needs::Postgres];
    Suite::new()
        .test("servers_end_with_a_killed_test", needs, || killed(false))
        .test("paused_servers_end_with_a_killed_test", needs, || {
            killed(true)
        })
        .test(
            "a_program_ends_when_dropped",
            [],
            a_program_ends_when_dropped,
        )
        .test("exit_codes_are_reported", [], exit_codes_are_reported)
}

/// Starts servers, reports their process ids and folders, and waits for death.
#[tokio::main]
async fn victim(report: &Path) -> anyhow::Result<()> {
    let cluster = Cluster::launch(1).await?;
    let server = Server::launch().await?;
    // A backend with a connection, as a test would have.
    let client = server.connect("postgres").await?;
    let backend: i32 = client
        .query_one("SELECT pg_backend_pid()", &[])
        .await?
        .get(0);
    let broker = cluster.broker(1);
    let logs = [broker.log(), server.log()].map(|log| log.display().to_string());
    let lines = [
        broker.process_id().await?.to_string(),
        server.process_id().await?.to_string(),
        backend.to_string(),
        logs.join("\n"),
    ];
    if env::var_os(PAUSE).is_some() {
        broker.pause().await?;
        server.pause().await?;
    }
    let partial = report.with_extension("partial");
    fs::write(&partial, lines.join("\n"))?;
    fs::rename(&partial, report)?;
    pending().await
}

async fn killed(paused: bool) -> anyhow::Result<()> {
    let scratch = Scratch::new("orphans")?;
    let report = scratch.path().join("report");
    let mut spec =
        Spec::new("victim", env::current_exe()?, scratch.path().join("log")).env(REPORT, &report);
    if paused {
        spec = spec.env(PAUSE, "yes");
    }
    let victim = Process::spawn(spec).await?;
    let report = until("the report", Duration::from_secs(100), || async {
        if let Some(code) = victim.exit_code() {
            let log = fs::read_to_string(victim.log()).unwrap_or_default();
            return Ok(Err(anyhow!("the victim exited with {code}: {log}")));
        }
        fs::read_to_string(&report).map(Ok)
    })
    .await??;
    let lines: Vec<_> = report.lines().collect();
    let [broker, postmaster, backend, logs @ ..] = &lines[..] else {
        bail!("{report}");
    };
    let pids = [pid(broker)?, pid(postmaster)?, pid(backend)?];
    for pid in pids {
        ensure!(exists(pid), "{pid:?} never ran");
    }

    victim.signal(Signal::KILL)?;
    victim.wait().await?;
    until("its servers to end", GONE, || async {
        let left: Vec<_> = pids.into_iter().filter(|&pid| exists(pid)).collect();
        if left.is_empty() {
            Ok(())
        } else {
            Err(format!("{left:?}"))
        }
    })
    .await?;
    until("its folders to vanish", GONE, || async {
        !logs.iter().any(|log| Path::new(log).exists())
    })
    .await
}

async fn a_program_ends_when_dropped() -> anyhow::Result<()> {
    let scratch = Scratch::new("orphans")?;
    let sleeper = sleeper(&scratch).await?;
    let pid = pid(&sleeper.id().to_string())?;
    ensure!(exists(pid));
    drop(sleeper);
    until("the program to end", GONE, || async { !exists(pid) }).await
}

async fn exit_codes_are_reported() -> anyhow::Result<()> {
    let scratch = Scratch::new("orphans")?;
    let log = scratch.path().join("log");
    let say = |script: &str| Spec::new("sh", "sh", &log).args(["-c", script]);
    let failing = Process::spawn(say("echo out; echo err >&2; exit 3")).await?;
    let error = failing
        .succeed()
        .await
        .err()
        .context("it succeeded")?
        .to_string();
    ensure!(
        error.starts_with("sh exited with 3") && error.ends_with("out\nerr"),
        "{error}"
    );
    let missing = Process::spawn(Spec::new("none", "/no/such/program", &log)).await?;
    ensure!(missing.wait().await? == 127);
    let killed = Process::spawn(say("sleep 100")).await?;
    killed.kill().await?;
    ensure!(killed.exit_code() == Some(128 + 9));
    let stopped = Process::spawn(say(
        "trap 'exit 5' TERM; echo ready; while :; do sleep 0.1; done",
    ))
    .await?;
    until("the trap to be set", GONE, || async {
        fs::read_to_string(&log).is_ok_and(|log| log.contains("ready"))
    })
    .await?;
    ensure!(stopped.stop(GONE).await? == 5);
    Ok(())
}

async fn sleeper(scratch: &Scratch) -> anyhow::Result<Process> {
    let spec = Spec::new("sleep", "sleep", scratch.path().join("log")).arg("1000");
    Process::spawn(spec).await
}

fn pid(text: &str) -> anyhow::Result<Pid> {
    Pid::from_raw(text.parse()?).context("a process has id 0")
}

fn exists(pid: Pid) -> bool {
    test_kill_process(pid).is_ok()
}
