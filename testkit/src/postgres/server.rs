//! One PostgreSQL server and its databases.
//!
//! Invariant: a server keeps its port and its data over all its lives, and is
//! handed out only once it answers a query.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::sync::OnceCell;
use tokio_postgres::{Client, NoTls};

use super::account;
use super::dist::fetch;
use crate::ports;
use crate::process::{Parting, Process, Scratch, Signal, Slot, Spec, quote};
use crate::wait::until;

/// Starting takes 0.1 s; replaying the log of a killed server may take longer.
const READY: Duration = Duration::from_mins(1);

/// Closing connections takes milliseconds; a busy machine may need longer.
const CLOSED: Duration = Duration::from_secs(30);

/// A fast shutdown rolls back what is open and writes a checkpoint.
const STOP: Duration = Duration::from_secs(30);

/// The superuser, and the database that is always there.
const USER: &str = "postgres";

/// The server that all tests of this process share; process-wide because it
/// ends with the process anyway.
static SHARED: OnceCell<Server> = OnceCell::const_new();

/// A running PostgreSQL server on a port of 127.0.0.1. Anybody there may
/// connect, without a password.
///
/// It ends when dropped, and in any case with the test process.
#[derive(Debug)]
pub struct Server {
    port: u16,
    slot: Slot,
    databases: AtomicU32,
    _scratch: Scratch,
}

impl Server {
    /// The server that all tests of this process share, started by the first
    /// that asks. Tests that hurt the server launch their own.
    pub async fn shared() -> anyhow::Result<&'static Self> {
        SHARED.get_or_try_init(Self::launch).await
    }

    /// Starts a server for the caller alone.
    pub async fn launch() -> anyhow::Result<Self> {
        Self::builder().launch().await
    }

    /// A server with settings of the caller's own.
    pub fn builder() -> Builder {
        Builder {
            settings: SETTINGS
                .iter()
                .map(|&(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
        }
    }

    /// Makes an empty database of its own for a test and returns its URL.
    ///
    /// `label` becomes part of its name, for whoever reads the server's log.
    pub async fn fresh_database(&self, label: &str) -> anyhow::Result<String> {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let database = database_name(label, number);
        let client = self.connect(USER).await?;
        // The name holds nothing that would need escaping within quotes.
        client
            .batch_execute(&format!("CREATE DATABASE \"{database}\""))
            .await
            .with_context(|| format!("creating the database {database}"))?;
        Ok(self.url(&database))
    }

    /// `postgres://postgres@127.0.0.1:port/database`.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/{database}", self.port)
    }

    /// A plain connection, for tests that look at the tables themselves.
    ///
    /// `database` is a name, or a URL that [`fresh_database`] returned.
    ///
    /// [`fresh_database`]: Self::fresh_database
    pub async fn connect(&self, database: &str) -> anyhow::Result<Client> {
        let url = if database.contains("://") {
            database.to_owned()
        } else {
            self.url(database)
        };
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await?;
        // Ends when the client is dropped; the client itself reports failures.
        tokio::spawn(connection);
        Ok(client)
    }

    /// As [`connect`](Self::connect), once all other connections to that database are
    /// closed: PostgreSQL's counters (`pg_stat_user_tables` and the like) hold all that
    /// a connection did when it is.
    pub async fn connect_alone(&self, database: &str) -> anyhow::Result<Client> {
        let client = self.connect(database).await?;
        until("other connections to close", CLOSED, async || {
            let open = others(&client).await?.len();
            anyhow::ensure!(open == 0, "{open} are open");
            anyhow::Ok(())
        })
        .await?;
        Ok(client)
    }

    /// The server's processes that serve connections to that database.
    pub async fn connections(&self, database: &str) -> anyhow::Result<Vec<u32>> {
        others(&self.connect(database).await?).await
    }

    /// How often rows of a table were changed, and how many entries of an index were
    /// read, once all connections to that database are closed.
    pub async fn changed_and_read(
        &self,
        database: &str,
        table: &str,
        index: &str,
    ) -> anyhow::Result<(i64, i64)> {
        let client = self.connect_alone(database).await?;
        let sql = "SELECT n_tup_upd, idx_tup_read
            FROM pg_stat_user_tables JOIN pg_stat_user_indexes USING (relid)
            WHERE pg_stat_user_tables.relname = $1 AND indexrelname = $2";
        let row = client.query_one(sql, &[&table, &index]).await?;
        Ok((row.get(0), row.get(1)))
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The file that holds what the server logs, over all its lives.
    pub fn log(&self) -> &Path {
        self.slot.spec().log()
    }

    /// The process id of the postmaster's latest life.
    pub async fn process_id(&self) -> anyhow::Result<u32> {
        Ok(self.slot.process().await?.id())
    }

    /// Starts the server again and waits until it answers a query.
    pub async fn start(&self) -> anyhow::Result<()> {
        let process = self.slot.start().await?;
        until("PostgreSQL to start", READY, || self.started(&process))
            .await
            .and_then(|ended| {
                if let Some(code) = ended {
                    bail!("PostgreSQL exited with {code}");
                }
                Ok(())
            })
            .with_context(|| quote(self.log()))
    }

    /// Done: `None` when it answers, an exit code when it never will.
    async fn started(&self, process: &Process) -> anyhow::Result<Option<i32>> {
        if let Some(code) = process.exit_code() {
            return Ok(Some(code));
        }
        self.connect(USER).await?.simple_query("SELECT 1").await?;
        Ok(None)
    }

    /// A fast shutdown: open transactions are rolled back, connections closed,
    /// everything written. One that takes over 30 s is killed, and that is an
    /// error.
    pub async fn stop(&self) -> anyhow::Result<()> {
        self.slot.stop(STOP).await
    }

    /// SIGKILL to all of the server's processes: a crash.
    pub async fn kill(&self) -> anyhow::Result<()> {
        self.slot.kill().await
    }

    /// SIGSTOP to all of the server's processes: connections stay open and
    /// nothing answers.
    pub async fn pause(&self) -> anyhow::Result<()> {
        self.slot.pause().await
    }

    /// SIGCONT: undoes [`pause`](Self::pause).
    pub async fn resume(&self) -> anyhow::Result<()> {
        self.slot.resume().await
    }
}

/// What every server is started with.
const SETTINGS: [(&str, &str); 8] = [
    ("listen_addresses", "127.0.0.1"),
    ("unix_socket_directories", ""),
    // Four services with a pool each, times the tests that run at once.
    ("max_connections", "400"),
    // Losing power loses data then, and nothing else does: a killed server's
    // writes are in the kernel's hands already.
    ("fsync", "off"),
    ("full_page_writes", "off"),
    // Kept in the data folder, where a killed server's share is removed too.
    ("dynamic_shared_memory_type", "mmap"),
    ("shared_buffers", "64MB"),
    ("log_line_prefix", "%m [%p] %d "),
];

/// Settings of a [`Server`] to be launched.
#[derive(Clone, Debug)]
pub struct Builder {
    settings: BTreeMap<String, String>,
}

impl Builder {
    /// Sets a parameter of `postgresql.conf`.
    pub fn setting(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.insert(key.into(), value.into());
        self
    }

    /// Commits survive a loss of power, as in production; slower.
    pub fn durable(self) -> Self {
        self.setting("fsync", "on")
            .setting("full_page_writes", "on")
    }

    /// Starts the server and waits until it answers a query.
    pub async fn launch(self) -> anyhow::Result<Server> {
        let installation = fetch().await?;
        let account = account::server()?;
        let scratch = Scratch::new("postgres")?;
        account::give(scratch.path(), account)?;
        let data = scratch.path().join("data");

        let initdb = Spec::new(
            "initdb",
            installation.program("initdb"),
            scratch.path().join("initdb.log"),
        )
        .arg("-D")
        .arg(&data)
        .args(["-U", USER, "-A", "trust", "--encoding=UTF8", "--locale=C"])
        .args(["--no-sync", "--no-instructions"])
        .dir(scratch.path())
        .account(account);
        Process::spawn(initdb).await?.succeed().await?;

        let port = ports::free()?;
        let postgres = Spec::new(
            "postgres",
            installation.program("postgres"),
            scratch.path().join("postgres.log"),
        )
        .arg("-D")
        .arg(&data)
        .args(["-p".to_owned(), port.to_string()])
        .args(
            self.settings
                .iter()
                .map(|(key, value)| format!("--{key}={value}")),
        )
        .dir(scratch.path())
        .account(account)
        // SIGTERM would wait for clients to leave by themselves.
        .stop(Signal::INT)
        .parting(Parting::Quit);
        let server = Server {
            port,
            slot: Slot::new(postgres),
            databases: AtomicU32::new(0),
            _scratch: scratch,
        };
        server.start().await?;
        Ok(server)
    }
}

/// Process ids of the other connections to a client's database.
async fn others(client: &Client) -> anyhow::Result<Vec<u32>> {
    let sql = "SELECT pid FROM pg_stat_activity
        WHERE datname = current_database() AND backend_type = 'client backend'
          AND pid <> pg_backend_pid()";
    let rows = client.query(sql, &[]).await?;
    let ids = rows.iter().map(|row| u32::try_from(row.get::<_, i32>(0)));
    Ok(ids.collect::<Result<_, _>>()?)
}

/// A name of lower-case letters, digits and underscores, at most 63 bytes, as
/// PostgreSQL's identifiers are.
fn database_name(label: &str, number: u32) -> String {
    let label: String = label
        .chars()
        .take(40)
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '_'
            }
        })
        .collect();
    format!("{label}_{number}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_label_makes_a_name_that_needs_no_escaping() {
        assert_eq!(
            database_name("History: \"Läden\"; --", 7),
            "history___l_den______7"
        );
        assert!(database_name(&"x".repeat(100), u32::MAX).len() <= 63);
    }
}
