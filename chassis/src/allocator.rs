//! The allocator of every process of ours, librdkafka's part included.
//!
//! jemalloc: the gateway takes more orders with it, and a process holds less after a
//! peak than with the others that are as fast (`docs/adr/0005-allocator.md`, with
//! figures). How it is set stands in `.cargo/config.toml`, and for all in one process in
//! `ordermesh/src/main.rs`; `MALLOC_CONF` sets it otherwise for one process (jemalloc(3),
//! TUNING).
//!
//! A library must not choose for whoever links it, so each `main.rs` says
//! `#[global_allocator]`.

pub use tikv_jemallocator::Jemalloc as Allocator;
