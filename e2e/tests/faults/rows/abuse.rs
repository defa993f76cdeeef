//! Row 14: clients that are slow, endless or hostile. The other clients must not
//! feel it.

use std::time::{Duration, Instant};

use e2e::clients::channel;
use futures::{StreamExt as _, future::join_all, stream};
use http::StatusCode;
use proto::orders::v1::WatchOrderRequest;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest,
};

use super::{Measured, Row, Size, a_while, under_load};
use crate::{audit::Allowed, world::World};

/// What 99 of 100 other clients must see.
const OTHERS: Duration = Duration::from_secs(1);
/// Clients of each slow kind.
const SLOW: usize = 500;
/// How long they keep it up, unless they are sent away.
const TIME: Duration = Duration::from_secs(12);
/// The doors' own bounds on headers and bodies are 10 s; a bit later they are gone.
const GONE: Duration = Duration::from_secs(20);

pub(crate) fn row() -> Row {
    Row {
        number: 14,
        fault: "500 slow clients, resets, deep JSON, 1 GiB body, endless stream",
        in_short: false,
        body: |world, size| Box::pin(abused(world, size)),
    }
}

async fn abused(world: &mut World, _: Size) -> anyhow::Result<Measured> {
    let mut begin = Instant::now();
    let (mut measured, journal) = under_load(world, &Allowed::within(15), async |world| {
        // A cluster that has just begun is slow by itself.
        a_while(5_000).await;
        begin = Instant::now();
        let rest = world.footing.addresses.rest().to_owned();
        let grpc = world.footing.addresses.grpc("gateway");
        let head = "POST /order HTTP/1.1\r\nhost: shop\r\n";
        let body = "POST /order HTTP/1.1\r\nhost: shop\r\ncontent-type: application/json\r\n\
                    content-length: 100000\r\n\r\n";
        let (heads, bodies, deep, huge, resets, endless) = tokio::join!(
            join_all((0..SLOW).map(|_| dribble(&rest, head, "x-slow: 1\r\n"))),
            join_all((0..SLOW).map(|_| dribble(&rest, body, " "))),
            deep(world),
            huge(&rest),
            resets(world),
            endless(&grpc),
        );
        for (what, ends) in [("headers", heads), ("bodies", bodies)] {
            let ends: Vec<Duration> = ends.into_iter().collect::<anyhow::Result<_>>()?;
            let longest = ends.into_iter().max().unwrap_or_default();
            anyhow::ensure!(longest < GONE, "slow {what} may stay for {longest:?}");
        }
        deep?;
        huge?;
        resets?;
        endless
    })
    .await?;
    let times = journal.accepted_at.iter().zip(journal.accepted_in);
    let mut others: Vec<_> = times
        .filter(|(at, _)| **at > begin)
        .map(|(_, took)| took)
        .collect();
    others.sort_unstable();
    let p99 = others[others.len() * 99 / 100];
    anyhow::ensure!(p99 < OTHERS, "the other clients' p99 is {p99:?}");
    measured.note = format!("the others' p99 is {p99:.1?}");
    Ok(measured)
}

/// Sends something and then a bit each second, until it is sent away; gives how
/// long it could stay.
async fn dribble(address: &str, begin: &str, bit: &str) -> anyhow::Result<Duration> {
    let start = Instant::now();
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(begin.as_bytes()).await?;
    let mut answer = [0_u8; 1_024];
    while start.elapsed() < GONE {
        match timeout(Duration::from_secs(1), stream.read(&mut answer)).await {
            // Closed, or an answer and then closed.
            Ok(Ok(0) | Err(_)) => break,
            Ok(Ok(_)) => {}
            Err(_) => {
                if stream.write_all(bit.as_bytes()).await.is_err() {
                    break;
                }
            }
        }
    }
    Ok(start.elapsed())
}

async fn deep(world: &World) -> anyhow::Result<()> {
    let answer = world
        .footing
        .rest
        .post_with("/order", &[], "[".repeat(10_000))
        .await?;
    anyhow::ensure!(answer.status == StatusCode::BAD_REQUEST, "{answer:?}");
    Ok(())
}

/// Sends a body of 1 GiB, as far as the door lets it.
async fn huge(address: &str) -> anyhow::Result<()> {
    const SIZE: u64 = 1 << 30;
    let mut stream = TcpStream::connect(address).await?;
    let head = format!(
        "POST /order HTTP/1.1\r\nhost: shop\r\ncontent-type: application/json\r\n\
         content-length: {SIZE}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    let (mut answer, mut body) = stream.split();
    let piece = vec![b' '; 64 * 1024];
    let sending = async {
        let mut sent = 0;
        while sent < SIZE && body.write_all(&piece).await.is_ok() {
            sent += piece.len() as u64;
        }
        sent
    };
    let mut text = String::new();
    let reading = answer.read_to_string(&mut text);
    let sent = tokio::select! {
        sent = sending => sent,
        _ = reading => 0,
    };
    anyhow::ensure!(sent < SIZE, "all of it was taken");
    Ok(())
}

/// Opens streams and cuts them at once, over and over, on one connection.
async fn resets(world: &World) -> anyhow::Result<()> {
    let client = world.footing.clients.orders.clone();
    let start = Instant::now();
    while start.elapsed() < TIME / 2 {
        let cut = stream::iter(0..100).for_each_concurrent(100, |_| {
            let mut client = client.clone();
            async move {
                let request = WatchOrderRequest {
                    order_id: uuid::Uuid::now_v7().to_string(),
                };
                let watch = client.watch_order(request);
                let _ = timeout(Duration::from_millis(5), watch).await;
            }
        });
        cut.await;
        a_while(20).await;
    }
    Ok(())
}

/// Asks one question after the other on one stream, and reads no answer.
async fn endless(address: &str) -> anyhow::Result<()> {
    let mut client = ServerReflectionClient::new(channel(address)?);
    let questions = stream::repeat_with(|| ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    });
    let _answers = client.server_reflection_info(questions).await?;
    tokio::time::sleep(TIME / 2).await;
    Ok(())
}
