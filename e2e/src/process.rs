//! Services as processes of their own, from their own binaries.

use std::{path::PathBuf, time::Duration};

use anyhow::Context as _;
use http::StatusCode;
use testkit::{
    process::{Process, Scratch, Spec},
    wait::until,
};

use crate::{footing::Footing, rest::Rest};

/// How long a service may take to be ready.
const READY: Duration = Duration::from_secs(30);

/// A binary of ours, which cargo built beside this test's.
pub fn binary(service: &str) -> anyhow::Result<PathBuf> {
    let test = std::env::current_exe()?;
    let folder = test.ancestors().nth(2).context("the target folder")?;
    let path = folder.join(service);
    anyhow::ensure!(
        path.exists(),
        "{} is not built; `make test` does",
        path.display()
    );
    Ok(path)
}

/// Starts a service of a footing and waits until it is ready.
pub async fn start(footing: &Footing, service: &str, scratch: &Scratch) -> anyhow::Result<Process> {
    start_with(footing, service, scratch, &[]).await
}

/// Starts a service with more in its environment, without waiting for it.
pub async fn launch(
    footing: &Footing,
    service: &str,
    scratch: &Scratch,
    more: &[(&str, String)],
) -> anyhow::Result<Process> {
    let log = scratch.path().join(format!("{service}.log"));
    let mut spec = Spec::new(service, binary(service)?, log).arg("run");
    for (key, value) in &footing.environment {
        spec = spec.env(key, value);
    }
    for (key, value) in more {
        spec = spec.env(key, value);
    }
    Process::spawn(spec).await
}

/// Starts a service with more in its environment and waits until it is ready.
pub async fn start_with(
    footing: &Footing,
    service: &str,
    scratch: &Scratch,
    more: &[(&str, String)],
) -> anyhow::Result<Process> {
    let process = launch(footing, service, scratch, more).await?;
    let admin = Rest::new(&footing.addresses.admin(service));
    let ready = until(&format!("{service} to be ready"), READY, async || {
        anyhow::ensure!(process.is_running(), "it has ended");
        let ready = admin.get("/readyz").await?;
        anyhow::ensure!(ready.status == StatusCode::OK, "{ready:?}");
        anyhow::Ok(())
    })
    .await;
    ready.with_context(|| std::fs::read_to_string(process.log()).unwrap_or_default())?;
    Ok(process)
}
