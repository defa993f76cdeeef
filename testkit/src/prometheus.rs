//! Prometheus, as the distribution packages it.

use std::{fmt::Write as _, fs, path::Path, time::Duration};

use anyhow::Context as _;
use tokio::net::TcpStream;

use crate::{
    ports,
    process::{Process, Scratch, Spec},
    programs::on_path,
    wait::until,
};

/// How long it may take to listen.
const START: Duration = Duration::from_secs(30);

/// Says what the machine lacks.
pub(crate) fn installed() -> anyhow::Result<()> {
    anyhow::ensure!(
        on_path("prometheus"),
        "`prometheus` is not in PATH (Debian's package prometheus has it)"
    );
    Ok(())
}

/// A running Prometheus. It ends when dropped.
#[derive(Debug)]
pub struct Prometheus {
    address: String,
    _process: Process,
    _scratch: Scratch,
}

impl Prometheus {
    /// Starts it over a service's name and admin address each, scraped every
    /// second under the job and label that `deploy/` uses, with these rules.
    pub async fn launch(targets: &[(&str, String)], rules: &Path) -> anyhow::Result<Self> {
        installed()?;
        let scratch = Scratch::new("prometheus")?;
        let mut config = format!(
            "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\n\
             rule_files: ['{}']\n\
             scrape_configs:\n\
             - job_name: ordermesh\n  static_configs:\n",
            rules.display()
        );
        for (service, address) in targets {
            // Writing to a String cannot fail.
            let _ = writeln!(
                config,
                "  - {{ targets: ['{address}'], labels: {{ service: {service} }} }}"
            );
        }
        let file = scratch.path().join("prometheus.yml");
        fs::write(&file, config)?;
        let address = format!("127.0.0.1:{}", ports::free()?);
        let spec = Spec::new("prometheus", "prometheus", scratch.path().join("log"))
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--web.listen-address={address}"))
            .arg(format!(
                "--storage.tsdb.path={}",
                scratch.path().join("data").display()
            ))
            .dir(scratch.path());
        let process = Process::spawn(spec).await?;
        until("Prometheus to listen", START, async || {
            anyhow::ensure!(process.is_running(), "it has ended");
            TcpStream::connect(&address).await?;
            anyhow::Ok(())
        })
        .await
        .with_context(|| fs::read_to_string(process.log()).unwrap_or_default())?;
        Ok(Self {
            address,
            _process: process,
            _scratch: scratch,
        })
    }

    /// `host:port` of its API.
    pub fn address(&self) -> &str {
        &self.address
    }
}
