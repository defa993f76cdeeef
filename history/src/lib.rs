//! Stores orders and how they stand.
