//! What tests share: real clusters and databases, sinks that can be told to
//! misbehave, and waiting for conditions.
//!
//! Invariant: whatever a test process starts through this crate ends with that
//! process, however the process ends. Every server and every scratch folder
//! hangs on a pipe that only the test process holds open (see [`process`]), so
//! return, panic, Ctrl-C and SIGKILL all have the same effect.
//!
//! | module | what it gives |
//! |---|---|
//! | [`harness`] | test binaries whose tests say what they need of the machine |
//! | [`kafka`] | Apache Kafka, one broker or three |
//! | [`postgres`] | PostgreSQL with a fresh database for each test |
//! | [`smtp`] | a mail server that keeps what it is sent, or refuses it |
//! | [`otlp`] | a trace collector that can be asked |
//! | [`jaeger`], [`prometheus`] | what shows traces and metrics to people |
//! | [`node`] | programs in Node.js, and Chromium |
//! | [`proxy`] | a TCP link that can be cut, slowed or swallowed |
//! | [`process`] | child processes that cannot outlive the test |
//! | [`services`] | the services' own binaries, at addresses of a test's own |
//! | [`rest`] | a REST client that shows everything |
//! | [`wait`], [`ports`] | conditions awaited, ports nobody else gets |

mod cache;
pub mod harness;
pub mod jaeger;
pub mod kafka;
mod maven;
pub mod node;
pub mod otlp;
pub mod ports;
pub mod postgres;
pub mod process;
mod programs;
pub mod prometheus;
pub mod proxy;
pub mod rest;
pub mod services;
pub mod smtp;
mod sync;
pub mod wait;
