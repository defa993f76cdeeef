//! Tests across services.
