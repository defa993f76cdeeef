//! The statements that list mails, for both databases: SQLite numbers `$1`, `$2`,
//! … by where they first stand, which here is their order.
//!
//! Every list walks an index in its own order and stops after a page, so a page
//! costs the same at any depth. The condition that chooses the index is written
//! out; what else was asked for is bound, the same in every statement. A partial
//! index serves only a statement that provably stays inside of it.

use super::{Filter, row::mail_columns};
use crate::mail::Status;

macro_rules! page_where {
    ($condition:literal) => {
        concat!(
            "SELECT ",
            mail_columns!(listed),
            " FROM notifications
              WHERE (created_at, notification_id) < ($1, $2)
                AND ($3 IS NULL OR order_id = $3)
                AND ($4 IS NULL OR user_id = $4)
                AND ($5 IS NULL OR status = $5) ",
            $condition,
            " ORDER BY created_at DESC, notification_id DESC LIMIT $6"
        )
    };
}

/// A page of what a filter lets through. Binds: time, id, order, user, status,
/// rows; the filter's may be NULL.
pub(super) const fn page(filter: &Filter) -> &'static str {
    match filter {
        Filter {
            order_id: Some(_), ..
        } => page_where!("AND order_id = $3"),
        Filter {
            user_id: Some(_), ..
        } => page_where!("AND user_id = $4"),
        Filter { status: None, .. } => page_where!(""),
        Filter {
            status: Some(Status::Pending),
            ..
        } => page_where!("AND status <> 1 AND status = 0"),
        Filter {
            status: Some(Status::Sent),
            ..
        } => page_where!("AND status = 1"),
        Filter {
            status: Some(Status::Failed),
            ..
        } => page_where!("AND status <> 1 AND status = 2"),
    }
}
