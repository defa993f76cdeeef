//! Programs in Node.js, and Chromium for those that drive it.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, ensure};

use crate::{
    process::{Process, Scratch, Spec},
    programs::{find, on_path},
};

/// How long the registry may take.
const INSTALL: Duration = Duration::from_secs(300);
/// What distributions call it.
const CHROMIUM: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// Fetches what a folder's `package-lock.json` names, once.
pub async fn modules(folder: &Path) -> anyhow::Result<()> {
    ensure!(
        on_path("node") && on_path("npm"),
        "`node` and `npm` are not in PATH (Node.js 20 or newer has them)"
    );
    if folder.join("node_modules").exists() {
        return Ok(());
    }
    let scratch = Scratch::new("npm")?;
    let npm = Spec::new("npm", "npm", scratch.path().join("log"))
        .args(["ci", "--no-audit", "--no-fund"])
        .dir(folder);
    let npm = Process::spawn(npm).await?;
    tokio::time::timeout(INSTALL, npm.succeed())
        .await
        .context("npm ci took too long")?
}

/// Chromium's program.
pub fn chromium() -> anyhow::Result<PathBuf> {
    let found = CHROMIUM.into_iter().find_map(find);
    found.context("`chromium` is not in PATH (Debian's package chromium has it)")
}
