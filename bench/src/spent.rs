//! CPU time that the parts of the system spend on an order.

use std::time::Duration;

use anyhow::Context as _;

use crate::{
    cpu,
    lab::Lab,
    series::{Series, float},
    table::{Goal, Line},
};

/// A part, and what it spent on an order, in microseconds.
pub(crate) type Cost = (&'static str, f64);

/// Parts, and what each had spent when the measurement began. Processes of one name are
/// one part.
#[derive(Default)]
pub(crate) struct Meter(Vec<Part>);

struct Part {
    name: &'static str,
    id: u32,
    before: Duration,
}

impl Meter {
    /// Measures the broker and the database, from now on.
    pub(crate) async fn start(lab: &Lab) -> anyhow::Result<Self> {
        let mut meter = Self::default();
        for broker in lab.kafka.brokers() {
            meter = meter.and("Kafka", broker.process_id().await?)?;
        }
        meter.and("PostgreSQL", lab.postgres.process_id().await?)
    }

    /// And a process, from now on.
    pub(crate) fn and(mut self, name: &'static str, id: u32) -> anyhow::Result<Self> {
        let before = cpu::time_with_children(id)?;
        self.0.push(Part { name, id, before });
        Ok(self)
    }

    /// And a process from its beginning on, which was after this measurement's.
    pub(crate) fn and_all_of(mut self, name: &'static str, id: u32) -> Self {
        let before = Duration::ZERO;
        self.0.push(Part { name, id, before });
        self
    }

    /// What each part has spent on each of so many orders.
    pub(crate) fn on_each(&self, orders: i64) -> anyhow::Result<Vec<Cost>> {
        let mut costs: Vec<Cost> = Vec::new();
        for part in &self.0 {
            let now = cpu::time_with_children(part.id)?;
            let spent = now.checked_sub(part.before);
            let spent = spent.with_context(|| format!("{}'s CPU time went back", part.name))?;
            let spent = spent.as_secs_f64() * 1e6 / float(orders);
            match costs.iter_mut().find(|(name, _)| *name == part.name) {
                Some((_, cost)) => *cost += spent,
                None => costs.push((part.name, spent)),
            }
        }
        Ok(costs)
    }
}

/// What an order cost in each part, round by round.
#[derive(Default)]
pub(crate) struct Costs(Vec<(&'static str, Series)>);

impl Costs {
    pub(crate) fn push(&mut self, costs: Vec<Cost>) {
        for (name, cost) in costs {
            match self.0.iter_mut().find(|(known, _)| *known == name) {
                Some((_, series)) => series.push(cost),
                None => self.0.push((name, [cost].into_iter().collect())),
            }
        }
    }

    /// Those of one part.
    pub(crate) fn of(&self, part: &str) -> Series {
        let part = self.0.iter().find(|(name, _)| *name == part);
        part.map_or_else(Series::default, |(_, series)| series.clone())
    }

    /// A line for each part.
    pub(crate) fn lines(&self, what: &str) -> Vec<Line> {
        let line = |(part, ours): &(&str, Series)| Line {
            what: format!("CPU of {what}, {part}"),
            unit: "µs".into(),
            ours: ours.clone(),
            other: None,
            goal: Goal::None,
        };
        self.0.iter().map(line).collect()
    }
}
