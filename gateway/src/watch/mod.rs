//! Watching orders happen.
//!
//! Invariant: whatever the number of watchers, the services are asked for all
//! watched orders together, at most once in [`pace::QUICKEST`], and not at all
//! while nobody watches.

mod board;
mod hub;
mod pace;
mod watcher;

pub(crate) use hub::{Hub, HubOptions};
pub(crate) use watcher::Watch;
