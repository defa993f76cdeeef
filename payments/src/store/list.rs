//! The statements that list payments, for both databases: SQLite numbers `$1`,
//! `$2`, … by where they first stand, which here is their order.
//!
//! Every list walks an index in its own order and stops after a page, so a page
//! costs the same at any depth. Status is written out rather than bound, because
//! a partial index serves only a statement that provably stays inside of it.

use proto::payments::v1::PaymentStatus;

use super::rows::payment_columns;

macro_rules! page_of {
    ($condition:literal) => {
        concat!(
            "SELECT ",
            payment_columns!(),
            " FROM payments WHERE (created_at, payment_id) < ($1, $2) ",
            $condition,
            " ORDER BY created_at DESC, payment_id DESC LIMIT $3"
        )
    };
}

/// One user's payments. Binds: time, id, user, status (0: any), rows.
pub(super) const OF_USER: &str = concat!(
    "SELECT ",
    payment_columns!(),
    " FROM payments WHERE (created_at, payment_id) < ($1, $2) AND user_id = $3",
    " AND ($4 = 0 OR status = $4) ORDER BY created_at DESC, payment_id DESC LIMIT $5"
);

/// All users' payments. Binds: time, id, rows.
pub(super) const fn of_all(status: Option<PaymentStatus>) -> &'static str {
    match status {
        None | Some(PaymentStatus::Unspecified) => page_of!(""),
        Some(PaymentStatus::Pending) => page_of!("AND status <> 2 AND status = 1"),
        Some(PaymentStatus::Captured) => page_of!("AND status = 2"),
        Some(PaymentStatus::Declined) => page_of!("AND status <> 2 AND status = 3"),
    }
}
