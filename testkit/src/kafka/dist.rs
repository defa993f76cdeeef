//! The Kafka distribution: jars from Maven Central's coordinates, run by the
//! user's own Java.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use super::archive;
use crate::cache;
use crate::maven::{Artifact, Goal, resolve};
use crate::programs::on_path;

/// The version of Apache Kafka that tests run against.
pub const VERSION: &str = "4.1.0";

const ARTIFACTS: [Artifact; 2] = [
    Artifact {
        group: "org.apache.kafka",
        name: "kafka_2.13",
        version: VERSION,
    },
    // Kafka's artifacts bring an SLF4J API and nothing that writes. This one
    // prints to standard error; 1.7 is the line of that API.
    Artifact {
        group: "org.slf4j",
        name: "slf4j-simple",
        version: "1.7.36",
    },
];

/// A complete distribution in the cache.
#[derive(Clone, Debug)]
pub(super) struct Distribution {
    libs: PathBuf,
}

impl Distribution {
    /// All jars, as a class path entry that Java itself expands.
    pub(super) fn class_path(&self) -> PathBuf {
        self.libs.join("*")
    }

    /// Where the archive of loaded classes is kept.
    pub(super) fn archive_folder(&self) -> PathBuf {
        self.libs.with_file_name("classes")
    }
}

/// Fetches Kafka unless the cache has it, and prepares it for quick starts.
///
/// Takes 20 s or so the first time and nothing afterwards. The error says what
/// the machine lacks. Starting a cluster does this by itself; the harness does
/// it first so that a download is not charged to a test's time.
pub async fn install() -> anyhow::Result<()> {
    let distribution = fetch().await?;
    archive::prepare(&distribution).await
}

/// The jars alone.
pub(super) async fn fetch() -> anyhow::Result<Distribution> {
    ensure!(
        on_path("java"),
        "Java is needed to run Apache Kafka, and `java` is not in PATH"
    );
    let folder = cache::root().join("kafka").join(VERSION).join("dist");
    let folder = cache::fill(folder, async |folder: PathBuf| fill(&folder).await)
        .await
        .with_context(|| format!("fetching Apache Kafka {VERSION}"))?;
    Ok(Distribution {
        libs: folder.join("libs"),
    })
}

async fn fill(folder: &Path) -> anyhow::Result<()> {
    resolve(folder, &ARTIFACTS, Goal::Copy, "libs").await
}
