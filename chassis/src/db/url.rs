//! Where a database is.

use std::{fmt, path::PathBuf, str::FromStr};

use secrecy::SecretString;

/// A database URL. PostgreSQL's may hold a password and never prints.
#[derive(Clone)]
pub enum DatabaseUrl {
    /// `postgres://user:password@host:port/database`, as libpq takes it.
    Postgres(SecretString),
    /// `sqlite://relative/path.db` or `sqlite:///absolute/path.db`.
    Sqlite(PathBuf),
}

/// A text that is no database URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be postgres://user:password@host:port/database or sqlite://path/to/file.db")]
pub struct InvalidDatabaseUrl;

impl FromStr for DatabaseUrl {
    type Err = InvalidDatabaseUrl;

    fn from_str(text: &str) -> Result<Self, InvalidDatabaseUrl> {
        match text.split_once("://") {
            Some(("postgres" | "postgresql", rest)) if !rest.is_empty() => {
                Ok(Self::Postgres(SecretString::from(text)))
            }
            Some(("sqlite", path)) if !path.is_empty() => Ok(Self::Sqlite(PathBuf::from(path))),
            _ => Err(InvalidDatabaseUrl),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Postgres(_) => f.write_str("postgres://[redacted]"),
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_tells_the_database_and_passwords_never_print() {
        let url: DatabaseUrl = "postgres://me:hunter2@localhost/db".parse().unwrap();
        assert_eq!(format!("{url:?}"), "postgres://[redacted]");
        let url: DatabaseUrl = "sqlite:///tmp/x.db".parse().unwrap();
        assert!(matches!(url, DatabaseUrl::Sqlite(path) if path.is_absolute()));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "mysql://x",
            "sqlite:",
            "sqlite://",
            "postgres://",
            "x.db",
        ] {
            assert!(text.parse::<DatabaseUrl>().is_err(), "{text}");
        }
    }
}
