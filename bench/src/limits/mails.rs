//! The mail sink driven flat out: the same commands for each mail as notifier has,
//! over as many connections, with nothing to look up before and nothing to write
//! down after.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering},
    time::Instant,
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};

use crate::{lab::Lab, series::float};

/// Notifier's own (`NOTIFIER__SENDS_AT_ONCE`).
const CONNECTIONS: usize = 64;
/// A confirmation of one line, text and HTML, is about as long.
const TEXT_BYTES: usize = 1_500;

/// Mails a second.
pub(crate) async fn rate(lab: &Lab, mails: usize) -> anyhow::Result<f64> {
    let next = AtomicUsize::new(0);
    let begin = Instant::now();
    let sending = (0..CONNECTIONS).map(|_| send(lab.smtp.address(), &next, mails));
    futures::future::try_join_all(sending).await?;
    let seconds = begin.elapsed().as_secs_f64();
    Ok(float(i64::try_from(mails)?) / seconds)
}

async fn send(server: SocketAddr, next: &AtomicUsize, mails: usize) -> anyhow::Result<()> {
    let stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    answer(&mut stream).await?;
    say(&mut stream, "EHLO bench\r\n").await?;
    let text = format!("{}\r\n", "x".repeat(70)).repeat(TEXT_BYTES / 72);
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= mails {
            return Ok(());
        }
        say(&mut stream, "MAIL FROM:<orders@ordermesh.example>\r\n").await?;
        say(&mut stream, "RCPT TO:<buyer@customers.example>\r\n").await?;
        say(&mut stream, "DATA\r\n").await?;
        let mail =
            format!("Message-ID: <{number}@bench.example>\r\nSubject: Order\r\n\r\n{text}.\r\n");
        say(&mut stream, &mail).await?;
    }
}

async fn say(stream: &mut BufReader<TcpStream>, words: &str) -> anyhow::Result<()> {
    stream.get_mut().write_all(words.as_bytes()).await?;
    answer(stream).await
}

/// Reads an answer to its last line, which has no dash behind its code.
async fn answer(stream: &mut BufReader<TcpStream>) -> anyhow::Result<()> {
    let mut line = String::new();
    loop {
        line.clear();
        stream.read_line(&mut line).await?;
        anyhow::ensure!(line.starts_with(['2', '3']), "the sink said {line:?}");
        if line.as_bytes().get(3) != Some(&b'-') {
            return Ok(());
        }
    }
}
