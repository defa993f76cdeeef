//! Bounds of a request that hold at both doors.

/// Largest body of a request, and largest message over gRPC. The largest order
/// just fits: 100 products with names of 200 characters, each of them escaped as
/// a surrogate pair (12 bytes), are 240 KB.
pub(crate) const MAX_BODY_BYTES: usize = 256 * 1024;
