//! What a test needs of the machine, and whether it is there.

use std::env;

use crate::{jaeger, kafka, node, postgres, prometheus};

/// A real part that a test runs against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Apache Kafka: `java` in PATH, and `mvn` until the cache has it.
    Kafka,
    /// PostgreSQL: `mvn` (and so `java`) in PATH until the cache has it.
    Postgres,
    /// Jaeger: `go` in PATH until the cache has it.
    Jaeger,
    /// Prometheus: `prometheus` in PATH.
    Prometheus,
    /// Chromium, and Node.js to drive it: `chromium`, `node` and `npm` in PATH.
    Browser,
}

impl Needs {
    /// Makes sure that the part can be started: fetched, unpacked, prepared.
    pub(super) async fn meet(self) -> Result<(), String> {
        match self {
            Self::Kafka => kafka::install().await,
            Self::Postgres => postgres::install().await,
            Self::Jaeger => jaeger::install().await,
            Self::Prometheus => prometheus::installed(),
            Self::Browser => node::chromium().map(drop),
        }
        .map_err(|error| format!("{self:?}: {error:#}"))
    }
}

/// What becomes of a test whose needs are not met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unmet {
    /// It is ignored: a developer's machine may lack Java.
    Ignore,
    /// It fails: a green run in CI must mean that everything ran.
    Fail,
}

impl Unmet {
    /// What the variable `CI` asks for.
    pub(super) fn from_env() -> Self {
        Self::from_ci(env::var("CI").ok().as_deref())
    }

    /// CI services set `CI` to `true`; people unset it or set it to nothing.
    fn from_ci(ci: Option<&str>) -> Self {
        match ci {
            None | Some("" | "0" | "false") => Self::Ignore,
            Some(_) => Self::Fail,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unmet_needs_fail_in_ci_only() {
        assert_eq!(Unmet::from_ci(Some("true")), Unmet::Fail);
        assert_eq!(Unmet::from_ci(Some("false")), Unmet::Ignore);
        assert_eq!(Unmet::from_ci(None), Unmet::Ignore);
    }
}
