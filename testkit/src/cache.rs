//! Where fetched distributions are kept.
//!
//! Invariant: a folder under the cache is either absent or complete. It is
//! filled under another name and renamed at the end, so a killed fetch leaves
//! nothing that a later one would take for whole, and a file lock lets one
//! process fetch while the others wait.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf, absolute};

use anyhow::Context;
use tokio::task::spawn_blocking;

/// The cache folder: `ORDERMESH_CACHE`, or `.cache` in the workspace.
pub(crate) fn root() -> PathBuf {
    match std::env::var_os("ORDERMESH_CACHE") {
        // Servers run in folders of their own, so a relative path is of no use.
        Some(path) if !path.is_empty() => absolute(&path).unwrap_or_else(|_| path.into()),
        _ => Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name(".cache"),
    }
}

/// Returns `folder`, after filling it with `make` if it does not exist yet.
///
/// `make` gets an empty folder beside it.
pub(crate) async fn fill<F, Fut>(folder: PathBuf, make: F) -> anyhow::Result<PathBuf>
where
    F: FnOnce(PathBuf) -> Fut,
    Fut: Future<Output = anyhow::Result<()>>,
{
    if folder.exists() {
        return Ok(folder);
    }
    let _lock = lock(sibling(&folder, ".lock")).await?;
    if folder.exists() {
        return Ok(folder);
    }
    remove_leftovers(&folder)?;
    let partial = sibling(&folder, &format!("{PARTIAL}{}", std::process::id()));
    fs::create_dir(&partial).with_context(|| format!("making {}", partial.display()))?;
    make(partial.clone()).await?;
    fs::rename(&partial, &folder)
        .with_context(|| format!("renaming {} in place", partial.display()))?;
    Ok(folder)
}

/// What stands between a folder's name and the filling process's id.
const PARTIAL: &str = ".partial-";

/// Waits for the lock file at `path`. The lock ends with the returned file, and
/// so at the latest with the process.
async fn lock(path: PathBuf) -> anyhow::Result<File> {
    spawn_blocking(move || {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let file = File::create(&path)?;
        file.lock()?;
        Ok(file)
    })
    .await?
    .map_err(|error: std::io::Error| error)
    .context("locking the cache")
}

/// Removes what killed fetches left behind. Only the holder of the lock may.
fn remove_leftovers(folder: &Path) -> anyhow::Result<()> {
    let Some(parent) = folder.parent() else {
        return Ok(());
    };
    let prefix = sibling(folder, PARTIAL);
    for entry in fs::read_dir(parent)? {
        let path = entry?.path();
        if name(&path).starts_with(&name(&prefix)) {
            fs::remove_dir_all(&path).with_context(|| format!("removing {}", path.display()))?;
        }
    }
    Ok(())
}

fn sibling(folder: &Path, suffix: &str) -> PathBuf {
    folder.with_file_name(name(folder) + suffix)
}

fn name(path: &Path) -> String {
    path.file_name()
        .map(OsStr::to_string_lossy)
        .unwrap_or_default()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    fn entries(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| name(&entry.unwrap().path()))
            .collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn a_folder_is_filled_once_however_many_ask_for_it() {
        let root = tempfile::tempdir().unwrap();
        let fills = std::sync::atomic::AtomicU32::new(0);
        let ask = || {
            fill(root.path().join("thing"), async |folder| {
                fills.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                tokio::task::yield_now().await;
                Ok(fs::write(folder.join("content"), "whole")?)
            })
        };
        let (one, two, three) = tokio::join!(ask(), ask(), ask());
        for folder in [one, two, three] {
            assert_eq!(fs::read(folder.unwrap().join("content")).unwrap(), b"whole");
        }
        assert_eq!(fills.into_inner(), 1);
    }

    #[tokio::test]
    async fn a_failed_fill_leaves_nothing_that_looks_whole() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("thing");
        let failed = fill(folder.clone(), async |partial| {
            fs::write(partial.join("half"), "")?;
            bail!("the network went away")
        });
        assert!(failed.await.is_err());
        assert!(!folder.exists());

        fill(folder.clone(), async |_| Ok(())).await.unwrap();
        assert_eq!(entries(root.path()), ["thing", "thing.lock"]);
        assert_eq!(entries(&folder), [] as [&str; 0]);
    }
}
