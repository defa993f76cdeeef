//! What the tests across services share: the whole system on a footing, and the
//! clients that a user of it would have.

pub mod browser;
pub mod clients;
pub mod footing;
pub mod jaeger;
pub mod orders;
pub mod process;
