//! Jaeger as people run it, in one process that keeps traces in memory.
//!
//! Built from its Go module, because that is how it can be had without a
//! container engine. Its query API is the real one; its pages are a placeholder.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use tokio::net::TcpStream;

use crate::{
    cache, ports,
    process::{Process, Scratch, Spec},
    programs::on_path,
    wait::until,
};

/// The version of Jaeger that tests run against.
pub const VERSION: &str = "v1.76.0";

/// The sums of the module and of its `go.mod`, as sum.golang.org has them.
const SUM: &str = "h1:sWCOOF1dr+NL0PLil7mFo3BqqQL8k4WiM7aguFbc14g=";
const SUM_OF_GO_MOD: &str = "h1:hqcuJlLDTv7G2x5eFd/BhwcPdLxj3N+90aKhIzdOcKo=";

const MODULE: &str = "github.com/jaegertracing/jaeger";
const COMMAND: &str = "github.com/jaegertracing/jaeger/cmd/all-in-one";
const PROGRAM: &str = "jaeger";
/// How long it may take to listen.
const START: Duration = Duration::from_secs(30);

/// Builds Jaeger unless the cache has it.
///
/// Takes some minutes the first time and nothing afterwards. The error says what
/// the machine lacks.
pub async fn install() -> anyhow::Result<()> {
    fetch().await.map(drop)
}

async fn fetch() -> anyhow::Result<PathBuf> {
    let folder = cache::root().join("jaeger").join(VERSION);
    let folder = cache::fill(folder, async |folder: PathBuf| build(&folder).await)
        .await
        .with_context(|| format!("building Jaeger {VERSION}"))?;
    Ok(folder.join(PROGRAM))
}

async fn build(folder: &Path) -> anyhow::Result<()> {
    anyhow::ensure!(
        on_path("go"),
        "Go is needed to build it, and `go` is not in PATH"
    );
    let go = |log: &str, arguments: &[&str]| {
        Spec::new("go", "go", folder.join(log))
            .dir(folder)
            .args(arguments)
    };
    // From 1.17 on, Go reads what it builds of the modules' graph, not all of it.
    let module = format!("module ordermesh/jaeger\n\ngo 1.24\n\nrequire {MODULE} {VERSION}\n");
    fs::write(folder.join("go.mod"), module)?;
    let own = format!("{MODULE} {VERSION} {SUM}\n{MODULE} {VERSION}/go.mod {SUM_OF_GO_MOD}\n");
    fs::write(folder.join("go.sum"), &own)?;
    let download = go("download.json", &["mod", "download", "-json", MODULE]);
    Process::spawn(download).await?.succeed().await?;
    let told = fs::read_to_string(folder.join("download.json"))?;
    // The sums that Jaeger's own build is checked against.
    let theirs = fs::read_to_string(Path::new(source(&told)?).join("go.sum"))?;
    fs::write(folder.join("go.sum"), own + &theirs)?;
    let build = go("build.log", &["build", "-mod=mod", "-o", PROGRAM, COMMAND]);
    Process::spawn(build).await?.succeed().await
}

/// Where `go mod download -json` put the module: one field a line, and no escapes
/// in a path of Go's cache.
fn source(json: &str) -> anyhow::Result<&str> {
    let line = json
        .lines()
        .find_map(|line| line.trim().strip_prefix("\"Dir\": \""));
    line.and_then(|rest| rest.split('"').next())
        .with_context(|| format!("`go mod download` told no folder:\n{json}"))
}

/// A running Jaeger. It ends when dropped.
#[derive(Debug)]
pub struct Jaeger {
    otlp: String,
    query: String,
    _process: Process,
    _scratch: Scratch,
}

impl Jaeger {
    /// Starts it and waits until it takes spans and answers questions.
    pub async fn launch() -> anyhow::Result<Self> {
        let program = fetch().await?;
        let scratch = Scratch::new("jaeger")?;
        let free = || anyhow::Ok(format!("127.0.0.1:{}", ports::free()?));
        let (otlp, query) = (free()?, free()?);
        let flags = [
            ("collector.otlp.grpc.host-port", otlp.clone()),
            ("collector.otlp.http.host-port", free()?),
            ("collector.grpc-server.host-port", free()?),
            ("collector.http-server.host-port", free()?),
            ("query.http-server.host-port", query.clone()),
            ("query.grpc-server.host-port", free()?),
            ("admin.http.host-port", free()?),
        ];
        let mut spec = Spec::new("jaeger", program, scratch.path().join("jaeger.log"))
            .env("SPAN_STORAGE_TYPE", "memory")
            .dir(scratch.path());
        for (flag, value) in flags {
            spec = spec.arg(format!("--{flag}={value}"));
        }
        let process = Process::spawn(spec).await?;
        for address in [&otlp, &query] {
            until("Jaeger to listen", START, async || {
                anyhow::ensure!(process.is_running(), "it has ended");
                TcpStream::connect(address).await?;
                anyhow::Ok(())
            })
            .await
            .with_context(|| fs::read_to_string(process.log()).unwrap_or_default())?;
        }
        Ok(Self {
            otlp,
            query,
            _process: process,
            _scratch: scratch,
        })
    }

    /// `http://127.0.0.1:port`, as `OTEL_EXPORTER_OTLP_ENDPOINT` takes it.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.otlp)
    }

    /// `host:port` of its query API and pages.
    pub fn query(&self) -> &str {
        &self.query
    }
}
