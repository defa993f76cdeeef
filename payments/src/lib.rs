//! Charges orders once and tells how it went.
