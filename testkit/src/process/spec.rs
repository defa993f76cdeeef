//! What to start: a program, its surroundings, and how it is to be ended.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use rustix::process::Signal;

/// A user and group to run as, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// The user's id.
    pub uid: u32,
    /// The group's id.
    pub gid: u32,
}

/// The signal that ends a server whose test process is gone.
///
/// Tests that want a signal of their own send it with
/// [`Process::signal`](super::Process::signal).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Parting {
    /// SIGKILL at once: for servers whose data nobody will read again.
    #[default]
    Kill,
    /// SIGQUIT, and SIGKILL after 5 s: for PostgreSQL, which then removes its
    /// shared memory without flushing anything (an "immediate shutdown").
    Quit,
}

impl Parting {
    /// The name `kill` knows it by.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Kill => "KILL",
            Self::Quit => "QUIT",
        }
    }
}

/// A program to run under the testkit's supervision.
///
/// Its standard input is empty; what it prints on either stream goes to the
/// end of its log. The environment is the test process's own, plus
/// [`env`](Self::env).
#[derive(Clone, Debug)]
pub struct Spec {
    pub(super) name: String,
    pub(super) program: PathBuf,
    pub(super) log: PathBuf,
    pub(super) args: Vec<OsString>,
    pub(super) env: Vec<(OsString, OsString)>,
    pub(super) dir: Option<PathBuf>,
    pub(super) account: Option<Account>,
    pub(super) stop: Signal,
    pub(super) parting: Parting,
}

impl Spec {
    /// `program` (an absolute path, or a name to look up in PATH), called
    /// `name` in messages, that logs to the file `log`.
    pub fn new(name: impl Into<String>, program: impl AsRef<Path>, log: impl AsRef<Path>) -> Self {
        Self {
            name: name.into(),
            program: program.as_ref().to_owned(),
            // The program may run in another folder than the test process.
            log: absolute(log.as_ref()),
            args: Vec::new(),
            env: Vec::new(),
            dir: None,
            account: None,
            stop: Signal::TERM,
            parting: Parting::default(),
        }
    }

    /// Adds one argument.
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds several arguments.
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets one variable of the environment.
    pub fn env(mut self, key: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((key.into(), value.into()));
        self
    }

    /// Runs it in this folder rather than the test process's.
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// Runs it as another user, if given; only root may do that.
    pub fn account(mut self, account: Option<Account>) -> Self {
        self.account = account;
        self
    }

    /// Chooses the signal that asks it to stop in good order, SIGTERM unless
    /// told otherwise.
    pub fn stop(mut self, signal: Signal) -> Self {
        self.stop = signal;
        self
    }

    /// Chooses how it is ended once the test process is gone.
    pub fn parting(mut self, parting: Parting) -> Self {
        self.parting = parting;
        self
    }

    /// The name in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The log file, which may not exist yet.
    pub fn log(&self) -> &Path {
        &self.log
    }
}

/// Fails on an empty path only, which no file has.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
