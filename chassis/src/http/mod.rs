//! HTTP: a server with bounds, and requests observed.

mod observe;
mod server;

pub(crate) use observe::observed;
pub use server::serve;
