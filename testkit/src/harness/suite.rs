//! The tests of one binary, run by `libtest-mimic`.

use std::any::Any;
use std::process::ExitCode;
use std::time::Duration;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use tokio::runtime::{self, Runtime};
use tokio::sync::RwLock;
use tokio::time::timeout;

use super::needs::{Needs, Unmet};
use super::test::Test;
use crate::process::shutdown_all;

/// Enough for a cluster's start and some seconds of work on a busy machine.
const LIMIT: Duration = Duration::from_mins(2);

/// More than the two cores of a small machine, because tests mostly wait; and
/// enough for a test that blocks a thread to leave the others theirs.
const WORKERS: usize = 4;

/// How long abandoned tasks may hold up the exit.
const PATIENCE: Duration = Duration::from_secs(1);

/// The tests of one binary.
#[derive(Debug)]
pub struct Suite {
    tests: Vec<Test>,
    limit: Duration,
}

impl Default for Suite {
    fn default() -> Self {
        Self::new()
    }
}

impl Suite {
    /// A suite without tests.
    pub fn new() -> Self {
        Self {
            tests: Vec::new(),
            limit: LIMIT,
        }
    }

    /// Sets the time limit of each test that has none of its own; 120 s unless
    /// told otherwise. Meeting a test's needs and waiting for its turn do not count.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Adds a test with these needs.
    pub fn test<F, Fut>(
        self,
        name: impl Into<String>,
        needs: impl IntoIterator<Item = Needs>,
        body: F,
    ) -> Self
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        self.tests([Test::new(name, body).needs(needs)])
    }

    /// Adds a conformance test for both databases; see
    /// [`Test::on_both_databases`].
    pub fn on_both_databases<F, Fut>(self, name: &str, body: F) -> Self
    where
        F: Fn(String) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        self.tests(Test::on_both_databases(name, body))
    }

    /// Adds tests that were put together elsewhere.
    pub fn tests(mut self, tests: impl IntoIterator<Item = Test>) -> Self {
        self.tests.extend(tests);
        self
    }

    /// Runs the tests that the command line asks for (libtest's own options),
    /// then ends everything that the testkit started, and returns libtest's
    /// exit code: 0, or 101 if a test failed.
    pub fn run(self) -> ExitCode {
        let arguments = Arguments::from_args();
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .enable_all()
            .build();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => {
                eprintln!("starting the tests' runtime: {error}");
                return ExitCode::FAILURE;
            }
        };
        let unmet = Unmet::from_env();
        let trials = self.tests.into_iter().map(|test| {
            let runtime = runtime.handle().clone();
            let limit = test.limit.unwrap_or(self.limit);
            Trial::ignorable_test(test.name.clone(), move || {
                runtime.block_on(run(test, limit, unmet))
            })
        });
        let conclusion = libtest_mimic::run(&arguments, trials.collect());
        tear_down(runtime);
        conclusion.exit_code()
    }
}

fn tear_down(runtime: Runtime) {
    runtime.block_on(shutdown_all());
    runtime.shutdown_timeout(PATIENCE);
}

/// Held by each test that runs; alone, or with others. Who waits to be alone comes
/// before those that ask later.
static MACHINE: RwLock<()> = RwLock::const_new(());

async fn run(test: Test, limit: Duration, unmet: Unmet) -> Result<Completion, Failed> {
    for need in test.needs {
        match (need.meet().await, unmet) {
            (Ok(()), _) => {}
            (Err(reason), Unmet::Ignore) => return Ok(Completion::ignored_with(reason)),
            (Err(reason), Unmet::Fail) => return Err(reason.into()),
        }
    }
    let (_alone, _beside) = if test.is_alone {
        (Some(MACHINE.write().await), None)
    } else {
        (None, Some(MACHINE.read().await))
    };
    let body = test.body;
    // A task of its own turns a panic into an error, and lets the worker
    // threads run it rather than the one that waits here.
    let mut task = tokio::spawn(async move { body().await });
    match timeout(limit, &mut task).await {
        Ok(Ok(Ok(()))) => Ok(Completion::Completed),
        Ok(Ok(Err(error))) => Err(explain(&error).into()),
        Ok(Err(died)) => Err(describe(&*died.into_panic()).into()),
        Err(_) => {
            task.abort();
            Err(format!("did not end within its time limit of {limit:?}").into())
        }
    }
}

/// The error and its causes. Not its backtrace, which shows 60 frames of the
/// runtime and one of the test.
fn explain(error: &anyhow::Error) -> String {
    let causes: Vec<_> = error.chain().map(ToString::to_string).collect();
    causes.join("\ncaused by: ")
}

fn describe(panic: &(dyn Any + Send)) -> String {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    message.map_or_else(
        || "panicked".to_owned(),
        |message| format!("panicked: {message}"),
    )
}
