//! A helper shell that outlives the test process just long enough to tidy up.
//!
//! Invariant: a keeper acts when its standard input ends, and only the test
//! process holds the other end. The kernel closes that end however the process
//! dies, so no signal handler, destructor or exit hook has to run.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, Weak};
use std::thread;

use anyhow::Context;
use tokio::sync::watch;

use crate::sync::lock;

/// What a keeper has said so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Report {
    /// The lines of its standard output.
    pub(super) lines: Vec<String>,
    /// Whether the keeper itself has ended.
    pub(super) ended: bool,
}

/// A running keeper. Dropping it, like [`Keeper::release`], makes it act.
#[derive(Debug)]
pub(super) struct Keeper {
    lifeline: Mutex<Option<ChildStdin>>,
    report: watch::Receiver<Report>,
}

/// Every keeper that may still be at work. It is process-wide because what it
/// guards is: the child processes of this process.
static KEEPERS: Mutex<Vec<(Weak<Keeper>, watch::Receiver<Report>)>> = Mutex::new(Vec::new());

impl Keeper {
    /// Starts `shell`, a `sh` command without its standard streams.
    ///
    /// A plain thread reads what it says, so a keeper depends on no tokio
    /// runtime and can be shared by tests that each have their own.
    pub(super) fn start(mut shell: Command) -> anyhow::Result<Arc<Self>> {
        let mut child = shell
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // Ctrl-C on a terminal must reach the test process alone, which
            // then ends its servers in order.
            .process_group(0)
            .spawn()
            .context("starting sh")?;
        let lifeline = child.stdin.take();
        let output = child.stdout.take().context("sh has no standard output")?;

        let (sender, report) = watch::channel(Report::default());
        thread::Builder::new()
            .name("keeper".to_owned())
            .spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    sender.send_modify(|report| report.lines.push(line));
                }
                // Reaps the shell; its status says nothing that its lines do not.
                child.wait().ok();
                sender.send_modify(|report| report.ended = true);
            })
            .context("starting the thread that reads from sh")?;

        let keeper = Arc::new(Self {
            lifeline: Mutex::new(lifeline),
            report: report.clone(),
        });
        let mut keepers = lock(&KEEPERS);
        keepers.retain(|(_, report)| !report.borrow().ended);
        keepers.push((Arc::downgrade(&keeper), report));
        Ok(keeper)
    }

    /// Lets go of the lifeline: the keeper acts now.
    pub(super) fn release(&self) {
        drop(lock(&self.lifeline).take());
    }

    /// What the keeper has said so far, and news of it.
    pub(super) fn report(&self) -> watch::Receiver<Report> {
        self.report.clone()
    }
}

/// Ends every server and removes every scratch folder that this process has
/// started or made through the testkit, and waits until that is done.
///
/// [`harness`](crate::harness) calls it after the last test. Without it the
/// same happens when the process ends, but nobody waits for it.
pub async fn shutdown_all() {
    let keepers = std::mem::take(&mut *lock(&KEEPERS));
    for keeper in keepers.iter().filter_map(|(keeper, _)| keeper.upgrade()) {
        keeper.release();
    }
    for (_, mut report) in keepers {
        // An error means that the reading thread is gone, and so is the shell.
        report.wait_for(|report| report.ended).await.ok();
    }
}
