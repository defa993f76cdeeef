//! What can go wrong with a database, by what to do about it.

use diesel::result::{DatabaseErrorKind, Error as DieselError};

/// A failure of a database, told apart by what helps.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// The database is away, full, read-only or shutting down: wait and try
    /// again; no record is to blame.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// Another transaction was in the way, more often than we retry: try again.
    #[error("a conflict with another transaction did not pass: {0}")]
    Conflict(String),
    /// The statement or its data is wrong; trying again will not help.
    #[error("the database refused the statement: {0}")]
    Statement(#[source] DieselError),
}

impl DbError {
    /// Whether waiting for the database is what helps.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    /// A short name for spans; a database's own words may hold private data.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "unavailable",
            Self::Conflict(_) => "conflict",
            Self::Statement(_) => "statement",
        }
    }

    pub(super) fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict(_))
    }
}

/// SQLite's messages for its result codes (sqlite3_errstr), in lower case, because
/// diesel hands on the text only.
const SQLITE_CONFLICT: &[&str] = &["database is locked", "database table is locked"];
const SQLITE_UNAVAILABLE: &[&str] = &[
    "unable to open database file",
    "disk i/o error",
    "database or disk is full",
    "attempt to write a readonly database",
    "database schema has changed",
];

/// PostgreSQL reports these as plain text through diesel: classes 08 (connection),
/// 53 (resources), 57 (operator intervention) and 58 (its system) of its SQLSTATE
/// table, by the words of the server's messages, in lower case.
const POSTGRES_UNAVAILABLE: &[&str] = &[
    "connection closed",
    "error communicating with the server",
    "terminating connection",
    "the database system is",
    "too many clients",
    "remaining connection slots",
    "could not extend file",
    "could not write",
    "could not read block",
    "could not resize shared memory",
    "no space left on device",
    "input/output error",
    "out of memory",
    "out of shared memory",
    "read-only transaction",
    "statement timeout",
    "server closed the connection",
    "canceling statement due to",
];

impl From<DieselError> for DbError {
    fn from(error: DieselError) -> Self {
        if let DieselError::DatabaseError(kind, info) = &error {
            let message = info.message();
            let lower = message.to_lowercase();
            let says = |texts: &[&str]| texts.iter().any(|text| lower.contains(text));
            return match kind {
                DatabaseErrorKind::SerializationFailure => Self::Conflict(message.to_owned()),
                DatabaseErrorKind::ClosedConnection
                | DatabaseErrorKind::UnableToSendCommand
                | DatabaseErrorKind::ReadOnlyTransaction => Self::Unavailable(message.to_owned()),
                _ if says(&["deadlock detected"]) || says(SQLITE_CONFLICT) => {
                    Self::Conflict(message.to_owned())
                }
                _ if says(SQLITE_UNAVAILABLE) || says(POSTGRES_UNAVAILABLE) => {
                    Self::Unavailable(message.to_owned())
                }
                _ => Self::Statement(error),
            };
        }
        match error {
            DieselError::BrokenTransactionManager => {
                Self::Unavailable("the connection broke inside a transaction".to_owned())
            }
            error => Self::Statement(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(kind: DatabaseErrorKind, message: &str) -> DbError {
        DieselError::DatabaseError(kind, Box::new(message.to_owned())).into()
    }

    #[test]
    fn conflicts_and_absence_are_told_apart_from_wrong_statements() {
        let unknown = || DatabaseErrorKind::Unknown;
        assert!(database(DatabaseErrorKind::SerializationFailure, "x").is_conflict());
        assert!(database(unknown(), "deadlock detected").is_conflict());
        assert!(database(unknown(), "database is locked").is_conflict());
        assert!(database(DatabaseErrorKind::ClosedConnection, "x").is_unavailable());
        assert!(database(unknown(), "database or disk is full").is_unavailable());
        assert!(database(unknown(), "the database system is shutting down").is_unavailable());
        for full in [
            "could not extend file \"base/16384/16385\": No space left on device",
            "could not resize shared memory segment: No space left on device",
            "No space left on device",
            "out of shared memory",
            "could not read block 7 in file \"base/1/2\": Input/output error",
        ] {
            assert!(database(unknown(), full).is_unavailable(), "{full}");
        }
        let wrong = database(DatabaseErrorKind::UniqueViolation, "duplicate key");
        assert!(!wrong.is_conflict() && !wrong.is_unavailable());
    }
}
