//! What a run is to be.

use std::time::Duration;

use clap::ValueEnum;
use serde::Serialize;

/// Longest steady part, and longest ramp.
const LONGEST: Duration = Duration::from_secs(60 * 60);
/// Orders a second; beyond what one generator can place.
pub(super) const MOST_RATE: u32 = 100_000;
/// Callers, or connections. Each takes a file descriptor and a port here.
pub(super) const MOST_CONNECTIONS: u32 = 10_000;
/// Orders in flight; each takes a few kilobytes.
pub(super) const MOST_IN_FLIGHT: u32 = 1_000_000;
/// Products; the table of their popularity takes 8 bytes for each.
pub(super) const MOST_PRODUCTS: u32 = 1_000_000;
/// There, 96 % of all lines are of the first product (1 / ζ(5)).
const MOST_SKEW: f64 = 5.0;
/// Above this, looking for an order that is no repetition takes long.
const MOST_REPEAT: f64 = 0.9;
/// Highest user id, as the API has it: JSON numbers stay exact.
const LAST_USER: i64 = (1 << 53) - 1;

/// REST over HTTP/1.1 has one order at a time on a connection. With 256, a
/// thousand orders a second may take a quarter of a second each.
const REST_CONNECTIONS: u32 = 256;
/// gRPC has many on one; a few keep several of the server's threads busy.
const GRPC_CONNECTIONS: u32 = 8;

/// What was asked for cannot be done, or must not; nothing was sent.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Misuse(pub(super) String);

/// Where orders go in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Door {
    /// `POST /order` over HTTP/1.1.
    Rest,
    /// `OrderService.PlaceOrder`.
    Grpc,
}

impl Door {
    /// Where `ordermesh up` and the containers have it.
    pub const fn default_target(self) -> &'static str {
        match self {
            Self::Rest => "127.0.0.1:3000",
            Self::Grpc => "127.0.0.1:50051",
        }
    }

    /// As people write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rest => "REST",
            Self::Grpc => "gRPC",
        }
    }
}

/// When the next order is placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// On a schedule, whatever became of the ones before.
    Open {
        /// Orders a second in the steady part; 1 to 100,000.
        rate: u32,
        /// How long the rate grows from nothing, before the steady part; at most
        /// an hour, and zero for none.
        ramp: Duration,
    },
    /// As soon as the one before is answered.
    Closed {
        /// How many callers do so at once; 1 to 10,000.
        clients: u32,
    },
}

impl Mode {
    pub(super) fn ramp(self) -> Duration {
        match self {
            Self::Open { ramp, .. } => ramp,
            Self::Closed { .. } => Duration::ZERO,
        }
    }
}

/// What the orders are like.
#[derive(Debug, Clone, PartialEq)]
pub struct Mix {
    /// Products that are sold, with ids from 1; 1 to 1,000,000.
    pub products: u32,
    /// How much more often the first are sold than the last: product `k` comes in
    /// proportion to `1 / k^skew`. 0 (all alike) to 5.
    pub skew: f64,
    /// The first user's id.
    pub first_user: i64,
    /// How many users order; each as often.
    pub users: u32,
    /// Share of orders that repeat an earlier one, content and idempotency key; 0
    /// to 0.9. When it is 0, orders carry no key, otherwise all do.
    pub repeat: f64,
    /// Share of orders whose payment is declined; 0 to 1.
    pub declined: f64,
}

impl Default for Mix {
    fn default() -> Self {
        Self {
            products: 1_000,
            skew: 1.0,
            first_user: 1,
            users: 100_000,
            repeat: 0.0,
            declined: 0.0,
        }
    }
}

/// What a run is to be.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where orders go in.
    pub door: Door,
    /// `host:port`. Every address of it must be on loopback.
    pub target: String,
    /// Allows a target that is not on loopback.
    pub i_own_this_target: bool,
    /// When the next order is placed.
    pub mode: Mode,
    /// Length of the steady part; up to an hour.
    pub duration: Duration,
    /// TCP connections; 1 to 10,000, and by default what suits door and mode. All
    /// are opened before the clock starts, so that no order pays for it. In the
    /// closed loop over REST each caller has one of its own.
    pub connections: Option<u32>,
    /// Orders in flight, of the open loop; what goes over is not sent.
    pub in_flight: u32,
    /// What the orders are like.
    pub mix: Mix,
    /// The same seed gives the same orders.
    pub seed: u64,
}

impl Options {
    /// A run at a door of this machine, with everything else by default.
    pub fn new(door: Door, mode: Mode) -> Self {
        Self {
            door,
            target: door.default_target().to_owned(),
            i_own_this_target: false,
            mode,
            duration: Duration::from_secs(30),
            connections: None,
            in_flight: 10_000,
            mix: Mix::default(),
            seed: 1,
        }
    }

    /// How many connections there will be.
    pub(super) fn connections(&self) -> u32 {
        match (self.door, self.mode) {
            (Door::Rest, Mode::Closed { clients }) => clients,
            (Door::Rest, Mode::Open { .. }) => self.connections.unwrap_or(REST_CONNECTIONS),
            (Door::Grpc, Mode::Open { .. }) => self.connections.unwrap_or(GRPC_CONNECTIONS),
            // More than callers would sit idle.
            (Door::Grpc, Mode::Closed { clients }) => {
                let connections = self.connections.unwrap_or(GRPC_CONNECTIONS);
                connections.min(clients)
            }
        }
    }

    /// Whether it can be done; all mistakes are told at once.
    pub(super) fn check(&self) -> Result<(), Misuse> {
        let mut wrong = Vec::new();
        let mut must = |holds: bool, rule: &'static str| {
            if !holds {
                wrong.push(rule);
            }
        };
        must(
            !self.duration.is_zero() && self.duration <= LONGEST,
            "the duration must be more than nothing and at most an hour",
        );
        must(
            self.mode.ramp() <= LONGEST,
            "the ramp must be at most an hour",
        );
        match self.mode {
            Mode::Open { rate, .. } => must(
                (1..=MOST_RATE).contains(&rate),
                "the rate must be 1 to 100,000 orders a second",
            ),
            Mode::Closed { clients } => {
                must(
                    (1..=MOST_CONNECTIONS).contains(&clients),
                    "there must be 1 to 10,000 clients",
                );
                must(
                    self.door == Door::Grpc || self.connections.is_none_or(|n| n == clients),
                    "over REST each client has one connection, no more and no fewer",
                );
            }
        }
        must(
            self.connections
                .is_none_or(|n| (1..=MOST_CONNECTIONS).contains(&n)),
            "there must be 1 to 10,000 connections",
        );
        must(
            (1..=MOST_IN_FLIGHT).contains(&self.in_flight),
            "orders in flight must be 1 to 1,000,000",
        );
        let mix = &self.mix;
        must(
            (1..=MOST_PRODUCTS).contains(&mix.products),
            "there must be 1 to 1,000,000 products",
        );
        must(
            (0.0..=MOST_SKEW).contains(&mix.skew),
            "the skew must be 0 to 5",
        );
        must(
            mix.users >= 1
                && mix.first_user >= 1
                && mix.first_user <= LAST_USER - i64::from(mix.users) + 1,
            "there must be users, with ids of 1 to 2^53-1",
        );
        must(
            (0.0..=MOST_REPEAT).contains(&mix.repeat),
            "the share of repetitions must be 0 to 90%",
        );
        must(
            (0.0..=1.0).contains(&mix.declined),
            "the share of declined payments must be 0 to 100%",
        );
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(Misuse(wrong.join("; ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: Mode = Mode::Open {
        rate: 200,
        ramp: Duration::ZERO,
    };

    #[test]
    fn the_defaults_are_valid_at_each_door() {
        for door in [Door::Rest, Door::Grpc] {
            for mode in [OPEN, Mode::Closed { clients: 3 }] {
                Options::new(door, mode).check().unwrap();
            }
        }
    }

    #[test]
    fn connections_suit_door_and_mode() {
        let closed = Mode::Closed { clients: 3 };
        assert_eq!(Options::new(Door::Rest, OPEN).connections(), 256);
        assert_eq!(Options::new(Door::Rest, closed).connections(), 3);
        assert_eq!(Options::new(Door::Grpc, OPEN).connections(), 8);
        assert_eq!(Options::new(Door::Grpc, closed).connections(), 3);
    }

    #[test]
    fn every_mistake_is_told() {
        let mut options = Options::new(Door::Rest, OPEN);
        options.duration = Duration::from_secs(3_601);
        options.in_flight = 0;
        options.mode = Mode::Closed { clients: 4 };
        options.connections = Some(5);
        options.mix = Mix {
            products: 0,
            skew: f64::NAN,
            first_user: LAST_USER,
            users: 2,
            repeat: 1.0,
            declined: -0.1,
        };
        let Misuse(told) = options.check().unwrap_err();
        assert_eq!(told.split("; ").count(), 8, "{told}");
    }
}
