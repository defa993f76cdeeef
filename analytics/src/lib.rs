//! What all orders together say.

pub mod batch;
pub mod calendar;
pub mod fact;
pub mod retention;
pub mod stage;
pub mod store;
pub mod tally;
