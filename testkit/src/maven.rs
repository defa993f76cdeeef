//! Artifacts by their coordinates, through the user's own `mvn`.
//!
//! Whatever mirror, proxy or credentials the user has set up apply; the testkit
//! knows no repository's address.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};

use crate::process::{Process, Spec};
use crate::programs::on_path;

/// One artifact to resolve.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Artifact {
    /// As in `<groupId>`.
    pub(crate) group: &'static str,
    /// As in `<artifactId>`.
    pub(crate) name: &'static str,
    /// As in `<version>`.
    pub(crate) version: &'static str,
}

/// What to do with the artifacts once they are resolved.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    /// Put the jars of the artifacts and all they depend on into a folder.
    Copy,
    /// Put what is inside those jars into a folder.
    Unpack,
}

/// The plugin's version decides what its goals mean, so it is not left to
/// Maven, whose default is a decade old (2.8 in Maven 3.8).
const PLUGIN: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1";

/// Resolves the artifacts and puts them into `folder/into`. `folder` also gets
/// the `pom.xml` and Maven's log.
pub(crate) async fn resolve(
    folder: &Path,
    artifacts: &[Artifact],
    goal: Goal,
    into: &str,
) -> anyhow::Result<()> {
    ensure_installed()?;
    fs::write(folder.join("pom.xml"), pom(artifacts)).context("writing pom.xml")?;
    let goal = match goal {
        Goal::Copy => "copy-dependencies",
        Goal::Unpack => "unpack-dependencies",
    };
    let maven = Spec::new("mvn", "mvn", folder.join("mvn.log"))
        .args(["-B", "-q"])
        .arg(format!("{PLUGIN}:{goal}"))
        .arg("-DincludeScope=runtime")
        .arg(format!("-DoutputDirectory={}", folder.join(into).display()))
        .dir(folder);
    Process::spawn(maven).await?.succeed().await
}

/// Says so when Maven is missing, before the shell does in fewer words.
fn ensure_installed() -> anyhow::Result<()> {
    ensure!(
        on_path("mvn"),
        "Maven is needed to fetch it, and `mvn` is not in PATH"
    );
    Ok(())
}

fn pom(artifacts: &[Artifact]) -> String {
    let mut dependencies = String::new();
    for Artifact {
        group,
        name,
        version,
    } in artifacts
    {
        // Writing to a String cannot fail.
        let _ = write!(
            dependencies,
            "\n    <dependency>\
             \n      <groupId>{group}</groupId>\
             \n      <artifactId>{name}</artifactId>\
             \n      <version>{version}</version>\
             \n    </dependency>"
        );
    }
    format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\">
  <modelVersion>4.0.0</modelVersion>
  <groupId>ordermesh</groupId>
  <artifactId>testkit</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>{dependencies}
  </dependencies>
</project>
"
    )
}
