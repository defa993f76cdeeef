//! The bounds of an order. One place, because the gateway enforces them on
//! requests and every consumer enforces them again on records.

/// Largest id: 2^53-1, so that ids stay exact as JSON numbers (RFC 8259,
/// section 6, on IEEE 754 doubles).
pub const MAX_ID: i64 = (1 << 53) - 1;

/// Most products in one order.
pub const MAX_LINES: usize = 100;

/// Longest product name, in characters (Unicode scalar values).
pub const MAX_NAME_CHARS: usize = 200;

/// Highest price of one piece, in minor units.
pub const MAX_UNIT_PRICE: i64 = 1_000_000_000;

/// Most pieces of one product.
pub const MAX_QUANTITY: i32 = 10_000;

/// Highest total of an order, in minor units. Below 2^53, so it stays exact as
/// a JSON number, and a billion of such totals still fit an `i64`'s range
/// when summed as `i128`.
pub const MAX_TOTAL: i64 = 1_000_000_000_000;

/// Longest mail address, in octets (RFC 5321, section 4.5.3.1.3: a path is at
/// most 256 octets, two of which are the angle brackets).
pub const MAX_EMAIL_OCTETS: usize = 254;

/// Longest payment token, in characters.
pub const MAX_TOKEN_CHARS: usize = 200;

/// Longest idempotency key, in characters, as with Stripe's API.
pub const MAX_KEY_CHARS: usize = 255;
