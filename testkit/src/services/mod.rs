//! The services as processes of their own, from their own binaries.

mod addresses;
mod launch;

pub use addresses::Addresses;
pub use launch::{binary, launch, until_ready};

/// Services with a database.
pub const STORING: [&str; 4] = ["payments", "history", "notifier", "analytics"];
/// All services.
pub const SERVICES: [&str; 5] = ["gateway", "payments", "history", "notifier", "analytics"];

/// Settings as a service's environment has them.
pub type Environment = Vec<(String, String)>;
