//! Child processes and scratch folders that cannot outlive the test process.
//!
//! Invariant: only processes that the testkit started are signalled, by id, and
//! each of them is gone soon after the test process is, even if that was killed
//! with SIGKILL. A small `sh` supervisor is the parent of each server and reads
//! from a pipe whose other end the test process holds; the pipe's end is the
//! one signal that no way of dying can suppress.

mod child;
mod family;
mod keeper;
mod log;
mod scratch;
mod slot;
mod spec;

pub use child::Process;
pub use keeper::shutdown_all;
pub(crate) use log::quote;
pub use rustix::process::Signal;
pub use scratch::Scratch;
pub use slot::Slot;
pub use spec::{Account, Parting, Spec};
