//! `ordermesh top`, at a running system.

use std::{
    io::{Read as _, Write as _},
    process::{Command, Output, Stdio},
    time::Duration,
};

use anyhow::Context as _;
use e2e::{
    footing::{Footing, OPERATOR_TOKEN, SERVICES},
    orders::{example, new_user},
};
use http::StatusCode;
use serde_json::Value;
use testkit::{harness::Test, services::binary};

use crate::on_both;

/// From the key that ends it to its end.
const END: Duration = Duration::from_secs(20);

pub(crate) fn tests() -> Vec<Test> {
    [
        on_both("top shows the system once", once),
        on_both("top tells machines a line a second", lines),
        on_both("top lives on a terminal until q", terminal),
        on_both("top refuses who has no token", refused),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn top(footing: &Footing, token: &str, arguments: &[&str]) -> anyhow::Result<Command> {
    let mut command = Command::new(binary("ordermesh")?);
    command
        .args(["top", "--address", footing.addresses.rest()])
        .args(arguments)
        .env("ORDERMESH_OPERATOR_TOKEN", token);
    Ok(command)
}

async fn output(mut command: Command) -> anyhow::Result<Output> {
    Ok(tokio::task::spawn_blocking(move || command.output()).await??)
}

async fn order(footing: &Footing) -> anyhow::Result<String> {
    let answer = footing.rest.post("/order", &example(new_user())).await?;
    anyhow::ensure!(answer.status == StatusCode::ACCEPTED, "{answer:?}");
    let id = answer.json()["orderId"]
        .as_str()
        .context("an id")?
        .to_owned();
    let stored = format!("/orders/{id}?wait=20s");
    anyhow::ensure!(footing.rest.get(&stored).await?.status == StatusCode::OK);
    Ok(id)
}

async fn once(footing: &'static Footing) -> anyhow::Result<()> {
    order(footing).await?;
    let shown = output(top(footing, OPERATOR_TOKEN, &["--once"])?).await?;
    let text = String::from_utf8(shown.stdout)?;
    anyhow::ensure!(shown.status.success(), "{text}{:?}", shown.stderr);
    for service in SERVICES {
        let row = text.lines().find(|line| line.starts_with(service));
        let row = row.with_context(|| format!("no {service} in {text}"))?;
        anyhow::ensure!(row.contains(" ready "), "{row}");
    }
    anyhow::ensure!(text.contains("ORDERS A MINUTE"), "{text}");
    anyhow::ensure!(!text.contains('\u{1b}'), "no escapes: {text:?}");
    let shown = output(top(footing, OPERATOR_TOKEN, &["--once", "--json"])?).await?;
    let json: Value = serde_json::from_slice(&shown.stdout)?;
    anyhow::ensure!(
        json["services"]["services"][0]["name"] == "gateway",
        "{json}"
    );
    anyhow::ensure!(json["orders"]["orders"][0]["orderId"].is_string(), "{json}");
    Ok(())
}

async fn lines(footing: &'static Footing) -> anyhow::Result<()> {
    let mut command = top(footing, OPERATOR_TOKEN, &["--json"])?;
    let lines = tokio::task::spawn_blocking(move || {
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let mut out = child.stdout.take().context("stdout")?;
        let mut text = Vec::new();
        let mut piece = [0; 4096];
        while text.split(|byte| *byte == b'\n').count() < 3 {
            let size = out.read(&mut piece)?;
            anyhow::ensure!(size > 0, "it ended");
            text.extend_from_slice(&piece[..size]);
        }
        // Enough: it ends by itself at its next line.
        drop(out);
        anyhow::ensure!(child.wait()?.success(), "a closed pipe is no failure");
        Ok(String::from_utf8(text)?)
    });
    let lines = lines.await??;
    for line in lines.lines().take(2) {
        let json: Value = serde_json::from_str(line)?;
        anyhow::ensure!(json["services"]["at"].is_string(), "{json}");
    }
    Ok(())
}

/// On a terminal of its own, which `script` (util-linux) makes.
async fn terminal(footing: &'static Footing) -> anyhow::Result<()> {
    let command = format!(
        "stty cols 120 rows 40 && exec {} top --address {}",
        binary("ordermesh")?.display(),
        footing.addresses.rest()
    );
    let mut script = Command::new("script");
    script
        .args(["-qfec", &command, "/dev/null"])
        .env("ORDERMESH_OPERATOR_TOKEN", OPERATOR_TOKEN)
        .env("TERM", "xterm-256color")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let watching = tokio::task::spawn_blocking(move || {
        let mut child = script.spawn()?;
        let mut keys = child.stdin.take().context("stdin")?;
        let mut out = child.stdout.take().context("stdout")?;
        let mut screen = Vec::new();
        let mut piece = [0; 4096];
        while !String::from_utf8_lossy(&screen).contains("payments") {
            let size = out.read(&mut piece)?;
            anyhow::ensure!(size > 0, "it ended: {}", String::from_utf8_lossy(&screen));
            screen.extend_from_slice(&piece[..size]);
        }
        keys.write_all(b"q")?;
        out.read_to_end(&mut screen)?;
        anyhow::ensure!(child.wait()?.success());
        Ok(String::from_utf8(screen)?)
    });
    let screen = tokio::time::timeout(END * 2, watching).await???;
    // The other screen is taken, and left.
    anyhow::ensure!(screen.contains("\u{1b}[?1049h") && screen.contains("\u{1b}[?1049l"));
    Ok(())
}

async fn refused(footing: &'static Footing) -> anyhow::Result<()> {
    let said = output(top(footing, "another-token", &["--once"])?).await?;
    let text = String::from_utf8(said.stderr)?;
    anyhow::ensure!(said.status.code() == Some(1), "{text}");
    anyhow::ensure!(text.contains("ORDERMESH_OPERATOR_TOKEN"), "{text}");
    anyhow::ensure!(!text.contains("another-token"), "{text}");
    // Without a terminal there is nothing to live on.
    let said = output(top(footing, OPERATOR_TOKEN, &[])?).await?;
    let text = String::from_utf8(said.stderr)?;
    anyhow::ensure!(text.contains("--once"), "{text}");
    Ok(())
}
