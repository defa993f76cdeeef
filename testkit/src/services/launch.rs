//! Starting a service and waiting for it.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use http::StatusCode;

use crate::process::{Process, Scratch, Spec};
use crate::rest::Rest;
use crate::wait::until;

/// How long a service may take to be ready.
const READY: Duration = Duration::from_secs(30);

/// A binary of ours, which cargo built beside the running one, or beside the
/// folder of the running test.
pub fn binary(name: &str) -> anyhow::Result<PathBuf> {
    let running = std::env::current_exe()?;
    let mut folders = running.ancestors().skip(1).take(2);
    folders
        .find_map(|folder| Some(folder.join(name)).filter(|path| path.exists()))
        .with_context(|| format!("{name} is not built beside {}", running.display()))
}

/// Starts a service in an environment, without waiting for it.
pub async fn launch(
    service: &str,
    environment: impl IntoIterator<Item = (&str, &str)>,
    scratch: &Scratch,
) -> anyhow::Result<Process> {
    let log = scratch.path().join(format!("{service}.log"));
    let mut spec = Spec::new(service, binary(service)?, log).arg("run");
    for (key, value) in environment {
        spec = spec.env(key, value);
    }
    Process::spawn(spec).await
}

/// Waits until a started service says at its admin address that it is ready.
pub async fn until_ready(process: &Process, admin: &str) -> anyhow::Result<()> {
    let admin = Rest::new(admin);
    let what = format!("{} to be ready", process.name());
    let ready = until(&what, READY, || async {
        ensure!(process.is_running(), "it has ended");
        let ready = admin.get("/readyz").await?;
        ensure!(ready.status == StatusCode::OK, "{ready:?}");
        anyhow::Ok(())
    });
    ready
        .await
        .with_context(|| std::fs::read_to_string(process.log()).unwrap_or_default())
}
