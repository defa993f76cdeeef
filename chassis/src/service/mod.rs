//! How a service lives: read settings, build, run, drain.
//!
//! A service says what it needs through [`Service`]; whether it is alone in its
//! process ([`main`]) or one of five in `ordermesh up` makes no difference to it.
//!
//! Draining goes by phases, each with everything in it at once, and ends within
//! [`DRAIN_LIMIT`]: doors close first, then consumers finish what is in hand and
//! commit, then background work stops, then the producer is flushed. Correctness
//! never rests on it: a process that is killed instead loses nothing that was
//! accepted.

mod command;
mod context;
mod running;

use std::time::Duration;

pub use command::{main, stop_signal, watch_over_drain};
pub use context::{Context, Phase};
pub use running::{Prepared, Running, prepare};

use crate::config::Config;

/// How long a whole drain may take. Below Kubernetes' default grace period of
/// 30 s and Docker's usual 30 s `stop_grace_period`.
pub const DRAIN_LIMIT: Duration = Duration::from_secs(20);

/// One service of the system.
pub trait Service: Sized + Send + 'static {
    /// Its name: config section (upper case), consumer group
    /// (`ordermesh.<name>`), dead-letter topic (`<name>.dlq.v1`), `service.name`.
    const NAME: &'static str;

    /// Its settings' section: [`Service::NAME`] in upper case.
    const SECTION: &'static str;

    /// Where its admin server listens by default.
    const ADMIN_ADDRESS: &'static str;

    /// Its settings.
    type Options: Send + 'static;

    /// Reads the settings. Mistakes collect in `config`.
    fn options(config: &mut Config) -> Self::Options;

    /// Binds, connects and spawns everything; returns when all is on its way.
    /// What it needs may still be away: then the service stays up, not ready.
    fn start(
        options: Self::Options,
        context: &mut Context,
    ) -> impl Future<Output = anyhow::Result<()>> + Send;
}
