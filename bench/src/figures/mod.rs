//! The figures, a file each.

mod backlog;
mod checkout;
mod cost;
mod doors;
mod effects;
mod latency;
mod memory;
mod scale;
mod soak;
mod tracing;
mod watchers;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::{Plan, lab::Lab, plot::Plot, table::Line};

/// A figure's name on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Name {
    /// Accepted orders a second, and how long one waits, against Express and limits.
    Doors,
    /// How long one waits at which rate, as a plot.
    Latency,
    /// What tracing costs.
    Tracing,
    /// What open consoles and open pages of orders cost.
    Watchers,
    /// How fast each service works off a backlog, against the limit of its parts.
    Backlog,
    /// The answer's and the effects' times while a payment takes 3 s.
    Checkout,
    /// From accepted to all effects, at half of the peak.
    Effects,
    /// Memory of each process at full load.
    Memory,
    /// One instance against four.
    Scale,
    /// CPU time of an order, with few and with many in store.
    Cost,
    /// Whether memory grows while orders come for half an hour.
    Soak,
}

/// What a figure came to.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Found {
    pub(crate) lines: Vec<Line>,
    pub(crate) plots: Vec<Plot>,
}

impl From<Vec<Line>> for Found {
    fn from(lines: Vec<Line>) -> Self {
        Self {
            lines,
            plots: Vec::new(),
        }
    }
}

/// What was asked for. When nothing was: all, or in short those whose ratios a
/// change could spoil unnoticed.
pub(crate) fn chosen(asked: &[Name], plan: Plan) -> Vec<Name> {
    if !asked.is_empty() {
        asked.to_vec()
    } else if plan.quick {
        vec![Name::Doors, Name::Backlog]
    } else {
        Name::value_variants().to_vec()
    }
}

pub(crate) async fn measure(name: Name, lab: &Lab) -> anyhow::Result<Found> {
    lab.forget();
    let lines = match name {
        Name::Latency => return latency::measure(lab).await,
        Name::Cost => return cost::measure(lab).await,
        Name::Effects => return effects::measure(lab).await,
        Name::Doors => doors::measure(lab).await,
        Name::Tracing => tracing::measure(lab).await,
        Name::Watchers => watchers::measure(lab).await,
        Name::Backlog => backlog::measure(lab).await,
        Name::Checkout => checkout::measure(lab).await,
        Name::Memory => memory::measure(lab).await,
        Name::Scale => scale::measure(lab).await,
        Name::Soak => soak::measure(lab).await,
    };
    Ok(lines?.into())
}
