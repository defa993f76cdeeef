//! Scenarios in Chromium: `e2e/browser/`, run by Node.js.
//!
//! A scenario's every wait is bounded, so it ends by itself even where the test that
//! plays it was killed.

// What a scenario says is part of its test's output.
#![allow(clippy::print_stdout)]

use std::{
    io::{self, BufRead as _, BufReader, Write as _},
    path::Path,
    process::{ChildStdin, Command, ExitStatus, Stdio},
};

use anyhow::Context as _;
use testkit::node;
use tokio::{
    sync::{
        OnceCell,
        mpsc::{self, UnboundedReceiver},
    },
    task::JoinHandle,
};

/// Tests run side by side; one fetches what all need.
static MODULES: OnceCell<()> = OnceCell::const_new();

/// Plays a scenario against the pages at an address, with what it needs to know.
pub async fn play(scenario: &str, address: &str, given: &[(&str, &str)]) -> anyhow::Result<()> {
    let mut play = Play::begin(scenario, address, given).await?;
    match play.asked().await? {
        Some(what) => anyhow::bail!("{scenario} asks for {what:?}"),
        None => Ok(()),
    }
}

/// A scenario that is being played, and asks for things to be done meanwhile.
#[derive(Debug)]
pub struct Play {
    scenario: String,
    input: ChildStdin,
    lines: UnboundedReceiver<String>,
    ended: JoinHandle<io::Result<ExitStatus>>,
}

impl Play {
    /// Begins to play.
    pub async fn begin(
        scenario: &str,
        address: &str,
        given: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser");
        MODULES.get_or_try_init(|| node::modules(&folder)).await?;
        let mut child = Command::new("node")
            .arg("run.mjs")
            .args([scenario, &format!("http://{address}")])
            .arg(node::chromium()?)
            .envs(given.iter().copied())
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting node")?;
        let output = child.stdout.take().context("no output")?;
        let input = child.stdin.take().context("no input")?;
        let (told, lines) = mpsc::unbounded_channel();
        let ended = tokio::task::spawn_blocking(move || {
            for line in BufReader::new(output).lines() {
                // Nobody listens any more: the test is over.
                if told.send(line?).is_err() {
                    break;
                }
            }
            child.wait()
        });
        Ok(Self {
            scenario: scenario.to_owned(),
            input,
            lines,
            ended,
        })
    }

    /// What the scenario asks for next, and then waits until it is
    /// [done](Self::done); `None` once it has ended well.
    pub async fn asked(&mut self) -> anyhow::Result<Option<String>> {
        while let Some(line) = self.lines.recv().await {
            match line.strip_prefix("ask ") {
                Some(what) => return Ok(Some(what.to_owned())),
                None => println!("{}: {line}", self.scenario),
            }
        }
        let status = (&mut self.ended).await??;
        anyhow::ensure!(
            status.success(),
            "{}: {status}; its error is above",
            self.scenario
        );
        Ok(None)
    }

    /// Lets it go on.
    pub fn done(&mut self) -> io::Result<()> {
        self.input.write_all(b"done\n")
    }
}
