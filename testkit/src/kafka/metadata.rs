//! One question of Kafka's protocol: which brokers does this one know?
//!
//! Asked by hand, because the answer to a Metadata request of version 1 is five
//! fields a broker, and a Kafka client would reconnect and cache behind the
//! test's back. The layout is in `MetadataRequest.json` and
//! `MetadataResponse.json` of Kafka's sources.

use std::net::Ipv4Addr;

use anyhow::{Context, ensure};
use bytes::{Buf, BufMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const METADATA: i16 = 3;
const VERSION: i16 = 1;
const CORRELATION: i32 = 1;

/// No broker of a test cluster has more to say; a larger answer is garbage.
const LARGEST_ANSWER: usize = 1 << 20;

/// The ids of the live brokers, in order, as the broker at `port` knows them.
pub(super) async fn live_brokers(port: u16) -> anyhow::Result<Vec<i32>> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    stream.write_all(&request()).await?;
    let size = usize::try_from(stream.read_i32().await?).context("negative size")?;
    ensure!(size <= LARGEST_ANSWER, "an answer of {size} bytes");
    let mut answer = vec![0; size];
    stream.read_exact(&mut answer).await?;
    brokers(&answer)
}

fn request() -> Vec<u8> {
    let mut body = Vec::new();
    body.put_i16(METADATA);
    body.put_i16(VERSION);
    body.put_i32(CORRELATION);
    let client = b"testkit";
    body.put_i16(7);
    body.put_slice(client);
    // An empty list of topics asks about none.
    body.put_i32(0);

    let mut request = Vec::new();
    // A handful of bytes.
    request.put_i32(i32::try_from(body.len()).unwrap_or(i32::MAX));
    request.put_slice(&body);
    request
}

fn brokers(mut answer: &[u8]) -> anyhow::Result<Vec<i32>> {
    let correlation = answer.try_get_i32()?;
    ensure!(
        correlation == CORRELATION,
        "answer to request {correlation}"
    );
    let mut ids = Vec::new();
    for _ in 0..answer.try_get_i32()? {
        ids.push(answer.try_get_i32()?);
        skip_string(&mut answer)?; // host
        answer.try_get_i32()?; // port
        skip_string(&mut answer)?; // rack
    }
    ids.sort_unstable();
    Ok(ids)
}

/// Strings have a 16-bit length, -1 for null.
fn skip_string(answer: &mut &[u8]) -> anyhow::Result<()> {
    let length = usize::try_from(answer.try_get_i16()?).unwrap_or(0);
    ensure!(answer.remaining() >= length, "the answer is cut short");
    answer.advance(length);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers_are_read_from_an_answer() {
        let mut answer = Vec::new();
        answer.put_i32(CORRELATION);
        answer.put_i32(2);
        for id in [2, 1] {
            answer.put_i32(id);
            answer.put_i16(9);
            answer.put_slice(b"127.0.0.1");
            answer.put_i32(9092);
            answer.put_i16(-1);
        }
        assert_eq!(brokers(&answer).unwrap(), [1, 2]);
        assert!(brokers(&answer[..20]).is_err());
    }
}
