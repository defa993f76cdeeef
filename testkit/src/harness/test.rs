//! One named test: its body, its needs and its time limit.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use super::needs::Needs;
use crate::postgres::Server;
use crate::process::Scratch;

/// What a test's body gives back once it has run.
pub(super) type Running = Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>;

/// A named test, to be added to a [`Suite`](super::Suite).
pub struct Test {
    pub(super) name: String,
    pub(super) needs: Vec<Needs>,
    pub(super) limit: Option<Duration>,
    pub(super) is_alone: bool,
    pub(super) body: Box<dyn FnOnce() -> Running + Send>,
}

impl Test {
    /// A test that needs nothing of the machine.
    pub fn new<F, Fut>(name: impl Into<String>, body: F) -> Self
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        Self {
            name: name.into(),
            needs: Vec::new(),
            limit: None,
            is_alone: false,
            body: Box::new(|| Box::pin(body())),
        }
    }

    /// The same test once for SQLite and once for PostgreSQL, named
    /// `sqlite::<name>` and `postgres::<name>`, each with the URL of an empty
    /// database of its own.
    ///
    /// The SQLite file does not exist yet; its folder stays until the test has
    /// ended.
    pub fn on_both_databases<F, Fut>(name: &str, body: F) -> [Self; 2]
    where
        F: Fn(String) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let label = name.to_owned();
        let on_postgres = body.clone();
        [
            Self::new(format!("sqlite::{name}"), async move || {
                let folder = Scratch::new("sqlite")?;
                let file = folder.path().join("test.db");
                body(format!("sqlite://{}", file.display())).await
            }),
            Self::new(format!("postgres::{name}"), async move || {
                let url = Server::shared().await?.fresh_database(&label).await?;
                on_postgres(url).await
            })
            .needs([Needs::Postgres]),
        ]
    }

    /// Adds what the test needs of the machine.
    pub fn needs(mut self, needs: impl IntoIterator<Item = Needs>) -> Self {
        self.needs.extend(needs);
        self
    }

    /// Lets no other test of the binary run beside this one: it measures what the
    /// others would take from it.
    pub fn alone(mut self) -> Self {
        self.is_alone = true;
        self
    }

    /// Gives the test a time limit of its own in place of the suite's.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }
}

impl fmt::Debug for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Test")
            .field("name", &self.name)
            .field("needs", &self.needs)
            .field("limit", &self.limit)
            .field("is_alone", &self.is_alone)
            .finish_non_exhaustive()
    }
}
