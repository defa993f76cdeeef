//! An archive of Kafka's classes, already parsed and verified.
//!
//! Java can load the classes of a broker from such a file ("class data
//! sharing") in place of 43 MB of jars. Measured on two cores: a broker is up
//! in 1.3 s instead of 2.2 s. Nothing depends on it: a Java other than the one
//! that wrote the archive ignores it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;

use super::broker::{Broker, ClusterId};
use super::config::{Listeners, NodeConfig};
use super::dist::Distribution;
use super::jvm::{Jit, Jvm};
use crate::cache;

/// Java writes the archive as it exits, which takes 4 s on an idle machine.
const EXIT: Duration = Duration::from_mins(1);

/// Makes the archive unless it is there, by starting and stopping one broker.
pub(super) async fn prepare(distribution: &Distribution) -> anyhow::Result<()> {
    cache::fill(distribution.archive_folder(), async |folder: PathBuf| {
        write(distribution, &file(&folder)).await
    })
    .await
    .context("archiving the classes of Apache Kafka")
    .map(drop)
}

/// The option that makes Java use the archive, if it exists.
pub(super) fn option(distribution: &Distribution) -> Option<OsString> {
    let file = file(&distribution.archive_folder());
    file.exists().then(|| flag("-XX:SharedArchiveFile=", &file))
}

async fn write(distribution: &Distribution, file: &Path) -> anyhow::Result<()> {
    let mut jvm = Jvm {
        distribution: distribution.clone(),
        jit: Jit::Quick,
        options: Vec::new(),
    };
    let config = NodeConfig::new(1, &[Listeners::allocate()?], &[]);
    let scratch = Broker::format(&jvm, &ClusterId::random(), &config).await?;
    jvm.options.push(flag("-XX:ArchiveClassesAtExit=", file));
    let broker = Broker::new(&jvm, config, scratch, None);
    broker.start().await?;
    broker.stop_within(EXIT).await
}

fn file(folder: &Path) -> PathBuf {
    folder.join("kafka.jsa")
}

fn flag(option: &str, file: &Path) -> OsString {
    let mut flag = OsString::from(option);
    flag.push(file);
    flag
}
