//! One running program that cannot outlive the test process.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::timeout;

use super::family;
use super::keeper::{Keeper, Report};
use super::log::quote;
use super::spec::Spec;

const SUPERVISOR: &str = include_str!("supervisor.sh");

/// A running program under the testkit's supervision.
///
/// It ends when this value is dropped, at
/// [`shutdown_all`](super::shutdown_all), or when the test process dies; see
/// [`Parting`](super::Parting) for how.
///
/// Two facts of `sh` reach the program: it starts with SIGINT and SIGQUIT
/// ignored unless it sets handlers of its own, and its parent is the
/// supervisor, not the test process.
#[derive(Debug)]
pub struct Process {
    spec: Spec,
    keeper: Arc<Keeper>,
    pid: Pid,
}

impl Process {
    /// Starts what `spec` describes. Returns as soon as the process exists,
    /// which says nothing yet about its being ready.
    pub async fn spawn(spec: Spec) -> anyhow::Result<Self> {
        let keeper = Keeper::start(supervise(&spec))
            .with_context(|| format!("starting a supervisor for {}", spec.name))?;
        let pid = keeper
            .report()
            .wait_for(|report| report.ended || !report.lines.is_empty())
            .await
            .ok()
            .and_then(|report| report.lines.first().and_then(|line| family::pid(line)))
            .with_context(|| format!("the supervisor of {} did not start it", spec.name))?;
        Ok(Self { spec, keeper, pid })
    }

    /// The program's own process id, not its supervisor's.
    pub fn id(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// The name in messages.
    pub fn name(&self) -> &str {
        self.spec.name()
    }

    /// The file that holds what the program printed.
    pub fn log(&self) -> &Path {
        self.spec.log()
    }

    /// The exit code once the program has ended, 128 + n if signal n ended it.
    pub fn exit_code(&self) -> Option<i32> {
        exit_code(&self.keeper.report().borrow())
    }

    /// Whether the program has not ended yet. A paused program is running.
    pub fn is_running(&self) -> bool {
        self.exit_code().is_none()
    }

    /// Waits for the program's end; see [`exit_code`](Self::exit_code).
    pub async fn wait(&self) -> anyhow::Result<i32> {
        self.keeper
            .report()
            .wait_for(|report| report.ended)
            .await
            .ok()
            .and_then(|report| exit_code(&report))
            .with_context(|| format!("the supervisor of {} died before it", self.name()))
    }

    /// Waits for a program that is expected to do its work and end; an exit
    /// code other than 0 is an error that quotes the log.
    pub async fn succeed(&self) -> anyhow::Result<()> {
        match self.wait().await? {
            0 => Ok(()),
            code => bail!("{} exited with {code}; {}", self.name(), quote(self.log())),
        }
    }

    /// Sends one signal to the program itself.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        if let Some(code) = self.exit_code() {
            bail!("{} is not running (it exited with {code})", self.name());
        }
        kill_process(self.pid, signal)
            .with_context(|| format!("sending {signal:?} to {}", self.name()))
    }

    /// Asks the program to stop (SIGTERM unless its [`Spec::stop`] says
    /// otherwise), waits for its end and returns the exit code. One that is not
    /// gone after `grace` is killed, and that is an error.
    pub async fn stop(&self, grace: Duration) -> anyhow::Result<i32> {
        self.signal(self.spec.stop)?;
        // A paused program would never see it; one that is gone needs nothing.
        self.resume().ok();
        if let Ok(code) = timeout(grace, self.wait()).await {
            return code;
        }
        self.kill().await?;
        bail!(
            "{} did not stop within {grace:?} and was killed; {}",
            self.name(),
            quote(self.log())
        )
    }

    /// SIGKILL to the program and its descendants, then waits for its end.
    pub async fn kill(&self) -> anyhow::Result<()> {
        self.signal_family(Signal::KILL)?;
        self.wait().await.map(drop)
    }

    /// SIGSTOP to the program and its descendants: they keep their memory and
    /// their connections, and do nothing.
    pub fn pause(&self) -> anyhow::Result<()> {
        self.signal_family(Signal::STOP)
    }

    /// SIGCONT: undoes [`pause`](Self::pause).
    pub fn resume(&self) -> anyhow::Result<()> {
        self.signal_family(Signal::CONT)
    }

    fn signal_family(&self, signal: Signal) -> anyhow::Result<()> {
        let family = family::of(self.pid)?;
        self.signal(signal)?;
        for &descendant in family.iter().filter(|&&pid| pid != self.pid) {
            // It may have ended in the meantime, which is as good.
            kill_process(descendant, signal).ok();
        }
        Ok(())
    }
}

fn supervise(spec: &Spec) -> Command {
    use std::os::unix::process::CommandExt;

    let mut shell = Command::new("sh");
    shell
        .arg("-c")
        .arg(SUPERVISOR)
        .arg("supervisor")
        .arg(spec.parting.name())
        .arg(&spec.log)
        .arg(&spec.program)
        .args(&spec.args)
        .envs(spec.env.iter().map(|(key, value)| (key, value)));
    if let Some(dir) = &spec.dir {
        shell.current_dir(dir);
    }
    if let Some(account) = spec.account {
        shell.uid(account.uid).gid(account.gid);
    }
    shell
}

/// The second line of a supervisor is its server's exit status.
fn exit_code(report: &Report) -> Option<i32> {
    report.lines.get(1)?.parse().ok()
}
