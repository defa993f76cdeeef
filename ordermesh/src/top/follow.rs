//! Follows the gateway's feed: one stream, opened again whenever it breaks.
//!
//! Invariant: nothing here waits for ever. Reaching, answering and silence are
//! bounded, and whoever reads the news holds the stream back rather than letting it
//! pile up.

use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::{Response, body::Incoming};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::{net::TcpStream, sync::mpsc};

use super::{model::Text, sse};

/// How long the gateway may take to be reached, and to begin its answer.
const CONNECT: Duration = Duration::from_secs(5);
/// Silence after which a connection counts as dead: the gateway sends something
/// every second, and every 15 s even when it knows nothing new.
const SILENCE: Duration = Duration::from_secs(20);
/// Between two attempts: at first, and at most.
const SOONEST: Duration = Duration::from_millis(500);
const LATEST: Duration = Duration::from_secs(5);
/// Of an answer that is no stream.
const MAX_PROBLEM_BYTES: usize = 64 * 1024;

/// Where the feed is, and who asks.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// `host:port`.
    pub(super) address: String,
    pub(super) token: Option<Token>,
}

/// An operator's token. Never printed.
#[derive(Clone)]
pub(super) struct Token(pub(super) String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

/// What becomes of following.
#[derive(Debug)]
pub(super) enum News {
    /// The stream is open.
    Live,
    /// It broke, or could not be opened; there is another attempt in a while.
    Lost { why: Text, again_in: Duration },
    /// An event came.
    Event(sse::Event),
}

/// Why one connection ended.
enum End {
    /// Trying again may help.
    Lost(anyhow::Error),
    /// Trying again would be answered the same.
    Refused(anyhow::Error),
    /// Nobody reads the news any more.
    Unread,
}

/// Follows until nobody reads the news any more; an error is a refusal that stands.
pub(super) async fn follow(source: Source, news: mpsc::Sender<News>) -> anyhow::Result<()> {
    let mut pause = SOONEST;
    loop {
        let mut is_live = false;
        let why = match connection(&source, &news, &mut is_live).await {
            End::Lost(why) => why,
            End::Refused(why) => return Err(why),
            End::Unread => return Ok(()),
        };
        if is_live {
            pause = SOONEST;
        }
        let lost = News::Lost {
            why: Text::clean(&format!("{why:#}")),
            again_in: pause,
        };
        if news.send(lost).await.is_err() {
            return Ok(());
        }
        tokio::time::sleep(pause).await;
        pause = LATEST.min(pause * 2);
    }
}

/// One connection, from its beginning to its end.
async fn connection(source: &Source, news: &mpsc::Sender<News>, is_live: &mut bool) -> End {
    let answer = match tokio::time::timeout(CONNECT, open(source)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => return End::Lost(error),
        Err(_) => return End::Lost(anyhow::anyhow!("{} does not answer", source.address)),
    };
    if answer.status() != StatusCode::OK {
        return refusal(answer).await;
    }
    let is_feed = answer
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    if !is_feed {
        let what = "what answers there is no gateway of Ordermesh; see --address";
        return End::Refused(anyhow::anyhow!(what));
    }
    *is_live = true;
    if news.send(News::Live).await.is_err() {
        return End::Unread;
    }
    match read(answer.into_body(), news).await {
        Ok(()) => End::Unread,
        Err(why) => End::Lost(why),
    }
}

async fn open(source: &Source) -> anyhow::Result<Response<Incoming>> {
    let away = || format!("nothing answers at {}; is the system up?", source.address);
    let stream = TcpStream::connect(&source.address)
        .await
        .with_context(away)?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // Ends when the answer is dropped or the peer goes away.
    tokio::spawn(connection);
    let mut request = Request::get("/ops/live")
        .header(header::HOST, &source.address)
        .header(header::ACCEPT, "text/event-stream");
    if let Some(Token(token)) = &source.token {
        let value = format!("Bearer {token}");
        let mut value = header::HeaderValue::from_str(&value)
            .context("the token has characters that cannot be sent")?;
        value.set_sensitive(true);
        request = request.header(header::AUTHORIZATION, value);
    }
    let request = request.body(Empty::<Bytes>::new())?;
    Ok(sender.send_request(request).await?)
}

/// A problem (RFC 9457), as far as it matters here.
#[derive(Deserialize)]
struct Problem {
    detail: String,
}

async fn refusal(answer: Response<Incoming>) -> End {
    let status = answer.status();
    let body = Limited::new(answer.into_body(), MAX_PROBLEM_BYTES).collect();
    let body = tokio::time::timeout(CONNECT, body).await;
    let detail = body
        .ok()
        .and_then(Result::ok)
        .and_then(|body| serde_json::from_slice::<Problem>(&body.to_bytes()).ok())
        .map(|problem| Text::clean(&problem.detail).as_str().to_owned());
    let said = detail.unwrap_or_else(|| format!("the gateway answered {status}"));
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => End::Refused(anyhow::anyhow!(
            "{said}; here, set ORDERMESH_OPERATOR_TOKEN to the token"
        )),
        status if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS => {
            End::Refused(anyhow::anyhow!("{said}; see --address"))
        }
        _ => End::Lost(anyhow::anyhow!(said)),
    }
}

/// Hands events on until nobody reads them; an error is why the stream ended.
async fn read(mut body: Incoming, news: &mpsc::Sender<News>) -> anyhow::Result<()> {
    let mut parser = sse::Parser::default();
    loop {
        let frame = tokio::select! {
            frame = tokio::time::timeout(SILENCE, body.frame()) => frame,
            () = news.closed() => return Ok(()),
        };
        let frame = frame.context("it fell silent")?;
        let frame = frame.context("the gateway ended the stream")?;
        let frame = frame.context("the connection broke")?;
        let Ok(piece) = frame.into_data() else {
            continue;
        };
        for event in parser.push(&piece)? {
            if event.name == "problem" {
                let said = serde_json::from_str::<Problem>(&event.data);
                anyhow::bail!(said.map_or_else(|_| "it ended".to_owned(), |it| it.detail));
            }
            if news.send(News::Event(event)).await.is_err() {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests;
