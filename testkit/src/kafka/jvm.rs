//! How a Java program of Kafka's is run.

use std::ffi::OsString;
use std::path::Path;

use super::archive;
use super::dist::Distribution;
use crate::process::Spec;

/// Which of HotSpot's compilers a broker may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Jit {
    /// C1 only: a broker is up in half the time and processor use, because a
    /// test ends before C2 would pay off.
    #[default]
    Quick,
    /// C1 and C2, as in production: for whoever measures.
    Full,
}

/// A Java with Kafka's jars.
#[derive(Clone, Debug)]
pub(super) struct Jvm {
    pub(super) distribution: Distribution,
    pub(super) jit: Jit,
    /// Options beyond the testkit's own.
    pub(super) options: Vec<OsString>,
}

/// The heap, the same from start to end of a test. The largest: a broker with a
/// few hundred partitions lives in half of it, and three of them must fit
/// beside a compiler on a small machine.
const HEAP: [&str; 3] = ["-Xms128m", "-Xmx384m", "-XX:+UseSerialGC"];

impl Jvm {
    /// The class `main` of the distribution, called `name`, with everything it
    /// writes kept under `scratch`. The program's arguments are to be added.
    pub(super) fn run(&self, name: &str, main: &str, scratch: &Path) -> Spec {
        let mut temporary = OsString::from("-Djava.io.tmpdir=");
        temporary.push(scratch);

        let mut spec = Spec::new(name, "java", scratch.join(format!("{main}.log")))
            .dir(scratch)
            .args(HEAP)
            .arg("-XX:+ExitOnOutOfMemoryError")
            // Native libraries and performance counters would otherwise stay
            // behind in the system's temporary folder.
            .arg("-XX:-UsePerfData")
            .arg(temporary)
            .arg("-Dorg.slf4j.simpleLogger.showDateTime=true")
            .arg("-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS")
            .args(self.options.iter().cloned());
        if self.jit == Jit::Quick {
            spec = spec.arg("-XX:TieredStopAtLevel=1");
        }
        if let Some(option) = archive::option(&self.distribution) {
            spec = spec.arg(option);
        }
        spec.arg("-cp")
            .arg(self.distribution.class_path())
            .arg(main)
    }
}
