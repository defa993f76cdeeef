//! Folders that are removed even when nobody is left to remove them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use anyhow::Context;

use super::keeper::Keeper;

const JANITOR: &str = include_str!("janitor.sh");

/// A folder under the system's temporary folder that is removed when this value
/// is dropped, at [`shutdown_all`](super::shutdown_all), or when the test
/// process dies.
///
/// Unlike `tempfile::TempDir`, whose destructor a killed process never runs.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    _janitor: Arc<Keeper>,
}

impl Scratch {
    /// Makes an empty folder whose name starts with `ordermesh-<label>-`.
    pub fn new(label: &str) -> anyhow::Result<Self> {
        let path = tempfile::Builder::new()
            .prefix(&format!("ordermesh-{label}-"))
            .tempdir()
            .context("making a scratch folder")?
            .keep();
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(JANITOR).arg("janitor").arg(&path);
        let janitor = Keeper::start(shell)?;
        Ok(Self {
            path,
            _janitor: janitor,
        })
    }

    /// The folder's absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}
