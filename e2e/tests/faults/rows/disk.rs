//! Row 16: on the embedded footing, the disk is full, or the databases may not be
//! written. Both say so and are not ready; nothing is lost, and no file is harmed.
//!
//! The disk is a small one in memory, mounted for the process alone (a mount
//! namespace; where one is root or user namespaces are allowed).

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use diesel::{
    Connection as _, QueryableByName, RunQueryDsl as _, SqliteConnection, sql_query,
    sql_types::{BigInt, Text},
};
use e2e::footing::{Footing, Kind, SERVICES, STORING};
use http::StatusCode;
use testkit::{
    process::{Process, Scratch, Spec},
    rest::Rest,
    services::binary,
    wait::until,
};

use super::{Measured, Row, a_while};
use crate::{
    load::{self, Journal},
    world::{STOP, World},
};

/// Room for the databases and their journals; the rest is filled.
const SMALL_DISK: &str =
    r#"mount -t tmpfs -o size=64m tmpfs "$1" && cd "$1" && shift && exec "$@""#;
const READ_ONLY: &str =
    r#"mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@""#;
/// How long until a fault is told, and until it is over when it is mended; the
/// pauses between two tries are half a minute at most.
const TOLD: Duration = Duration::from_secs(60);
const MENDED: Duration = Duration::from_secs(45);

pub(crate) fn row() -> Row {
    Row {
        number: 16,
        fault: "the disk is full; the databases are read-only (embedded)",
        in_short: false,
        body: |world, _| {
            Box::pin(async move {
                let mut measured = full(world).await?;
                measured.add(read_only(world).await?);
                Ok(measured)
            })
        },
    }
}

/// `ordermesh up` with a data folder of its own.
struct Embedded {
    footing: Footing,
    scratch: Scratch,
    data: PathBuf,
    slack: u32,
}

impl Embedded {
    async fn prepare(slack: u32) -> anyhow::Result<Self> {
        let scratch = Scratch::new("disk")?;
        let data = scratch.path().join("data");
        fs::create_dir(&data)?;
        let charges = scratch.path().join("charges").display().to_string();
        let settings = [
            ("PAYMENTS__MOCK_JOURNAL", charges.as_str()),
            ("NOTIFIER__SEND_TIMEOUT", "2s"),
            ("TELEMETRY__LOG", "warn"),
        ];
        Ok(Self {
            footing: Footing::prepare(Kind::Embedded, &settings).await?,
            scratch,
            data,
            slack,
        })
    }

    /// Starts it on its folder as the script mounts it, or just so.
    async fn launch(&self, script: Option<&str>) -> anyhow::Result<Process> {
        let log = self.scratch.path().join("ordermesh.log");
        let ordermesh = binary("ordermesh")?;
        let mut spec = match script {
            None => Spec::new("ordermesh", ordermesh, log),
            Some(script) => Spec::new("ordermesh", "unshare", log)
                .args(["--user", "--map-root-user", "--mount", "sh", "-c", script])
                .arg("sh")
                .arg(&self.data)
                .arg(ordermesh),
        };
        for (key, value) in &self.footing.environment {
            spec = spec.env(key, value);
        }
        Process::spawn(spec.arg("up").arg("--data").arg(&self.data)).await
    }

    /// Waits for what a service's `/readyz` says.
    async fn until_told(
        &self,
        service: &str,
        status: StatusCode,
        words: &str,
        within: Duration,
    ) -> anyhow::Result<()> {
        let admin = Rest::new(&self.footing.addresses.admin(service));
        let what = format!("{service} to say {status} {words:?}");
        until(&what, within * self.slack, async || {
            let answer = admin.get("/readyz").await?;
            let told = answer.status == status && answer.json().to_string().contains(words);
            anyhow::ensure!(told, "{answer:?}");
            anyhow::Ok(())
        })
        .await?;
        Ok(())
    }

    async fn until_ready(&self) -> anyhow::Result<()> {
        for service in SERVICES {
            self.until_told(service, StatusCode::OK, "", MENDED).await?;
        }
        Ok(())
    }

    /// Waits until exactly the accepted orders have all their effects; gives what is
    /// doubled.
    async fn settled(&self, data: &Path, journal: &Journal) -> anyhow::Result<usize> {
        let orders = i64::try_from(journal.ok.len())?;
        until(
            "every effect of every order",
            MENDED * self.slack,
            async || {
                for (service, sql, each) in EFFECTS {
                    let found = ask(data, service, sql)?;
                    anyhow::ensure!(found == orders * each, "{service}: {found} of {orders}");
                }
                anyhow::Ok(())
            },
        )
        .await?;
        for service in STORING {
            let copy = Copied::of(data, service)?;
            let found: Vec<Integrity> =
                sql_query("PRAGMA integrity_check").load(&mut copy.open()?)?;
            let [Integrity { integrity_check }] = found.as_slice() else {
                anyhow::bail!("{service}'s database is damaged in {} places", found.len());
            };
            anyhow::ensure!(integrity_check == "ok", "{service}: {integrity_check}");
        }
        // One charge an order, and every mail under an id of its own; SMTP's gap
        // allows a mail to come again when its sending could not be recorded.
        let mut charges = BTreeMap::<_, usize>::new();
        let told = fs::read_to_string(self.scratch.path().join("charges"))?;
        for line in told.lines() {
            let order = line.split(' ').next().unwrap_or_default();
            *charges.entry(order.to_owned()).or_default() += 1;
        }
        anyhow::ensure!(
            charges.len() == journal.ok.len(),
            "{} charges",
            charges.len()
        );
        let mails = self.footing.smtp.message_ids().len();
        anyhow::ensure!(mails == journal.ok.len() * 2, "{mails} mails");
        Ok(charges.values().filter(|times| **times > 1).count())
    }
}

/// Where an order's effects stand, and how many they are.
const EFFECTS: [(&str, &str, i64); 4] = [
    (
        "history",
        "SELECT count(*) AS number FROM orders JOIN payment_outcomes USING (order_id)",
        1,
    ),
    (
        "payments",
        "SELECT count(*) AS number FROM payments WHERE published_at IS NOT NULL",
        1,
    ),
    (
        "notifier",
        "SELECT (SELECT count(*) FROM notifications) - (SELECT count(*) FROM outbox) AS number",
        2,
    ),
    (
        "analytics",
        "SELECT coalesce(sum(orders_paid), 0) AS number FROM user_orders",
        1,
    ),
];

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

#[derive(QueryableByName)]
struct Integrity {
    #[diesel(sql_type = Text)]
    integrity_check: String,
}

/// A copy of a service's database: SQLite would not find its way through
/// another process's mounts, and must not lock what is examined.
struct Copied(tempfile::TempDir);

impl Copied {
    fn of(data: &Path, service: &str) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        for suffix in ["", "-wal"] {
            let from = data.join(format!("{service}.db{suffix}"));
            match fs::copy(&from, folder.path().join(format!("copy.db{suffix}"))) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                copied => drop(copied.with_context(|| from.display().to_string())?),
            }
        }
        Ok(Self(folder))
    }

    fn open(&self) -> anyhow::Result<SqliteConnection> {
        let file = self.0.path().join("copy.db");
        Ok(SqliteConnection::establish(&file.to_string_lossy())?)
    }
}

fn ask(data: &Path, service: &str, sql: &str) -> anyhow::Result<i64> {
    let copy = Copied::of(data, service)?;
    let row: Number = sql_query(sql).get_result(&mut copy.open()?)?;
    Ok(row.number)
}

async fn full(world: &mut World) -> anyhow::Result<Measured> {
    let embedded = Embedded::prepare(world.slack).await?;
    let process = embedded.launch(Some(SMALL_DISK)).await?;
    embedded.until_ready().await?;
    // The disk as the process sees it.
    let data = PathBuf::from(format!("/proc/{}/root", process.id()))
        .join(embedded.data.strip_prefix("/")?);
    let filler = data.join("filler");
    let rest = embedded.footing.rest.clone();
    let (over, journal) = load::during_at(rest, world.new_users(), async || {
        a_while(2_000).await;
        fill(&filler)?;
        for service in STORING {
            embedded
                .until_told(service, StatusCode::SERVICE_UNAVAILABLE, "full", TOLD)
                .await?;
        }
        a_while(3_000).await;
        fs::remove_file(&filler)?;
        Ok(Instant::now())
    })
    .await?;
    let doubled = embedded.settled(&data, &journal).await?;
    let recovery = over.elapsed();
    embedded.until_ready().await?;
    let code = process.stop(STOP).await?;
    anyhow::ensure!(code == 0, "it ended with {code}");
    measured(&journal, doubled, recovery)
}

/// Writes until nothing more fits.
fn fill(path: &Path) -> anyhow::Result<()> {
    let mut file = File::create(path)?;
    for piece in [vec![0_u8; 64 * 1024], vec![0_u8; 512]] {
        loop {
            match file.write_all(&piece) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => break,
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

async fn read_only(world: &mut World) -> anyhow::Result<Measured> {
    let embedded = Embedded::prepare(world.slack).await?;
    let process = embedded.launch(None).await?;
    embedded.until_ready().await?;
    let rest = embedded.footing.rest.clone();
    let placing = load::during_at(rest, world.new_users(), async || {
        a_while(1_000).await;
        Ok(())
    });
    let ((), journal) = placing.await?;
    embedded.settled(&embedded.data, &journal).await?;
    process.stop(STOP).await?;

    let process = embedded.launch(Some(READ_ONLY)).await?;
    for service in STORING {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let words = "Read-only file system";
        embedded.until_told(service, status, words, TOLD).await?;
    }
    let log = fs::read_to_string(process.log())?;
    anyhow::ensure!(log.contains("Read-only file system"), "not logged: {log}");
    process.kill().await?;

    let over = Instant::now();
    let process = embedded.launch(None).await?;
    embedded.until_ready().await?;
    let doubled = embedded.settled(&embedded.data, &journal).await?;
    let recovery = over.elapsed();
    process.stop(STOP).await?;
    measured(&journal, doubled, recovery)
}

fn measured(journal: &Journal, doubled: usize, recovery: Duration) -> anyhow::Result<Measured> {
    anyhow::ensure!(doubled == 0, "{doubled} orders were charged twice");
    anyhow::ensure!(!journal.ok.is_empty(), "no order was accepted");
    Ok(Measured {
        count: 1,
        orders: journal.ok.len(),
        recoveries: vec![recovery],
        ..Measured::default()
    })
}
