//! `POST /order` over one HTTP/1.1 connection.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;

use super::super::{answer::Answer, orders::Order, target};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Bytes of a usual order; the buffer grows for others.
const USUAL_BODY: usize = 512;

type Sender = SendRequest<Full<Bytes>>;

/// A connection, opened anew when it broke.
#[derive(Debug)]
pub(crate) struct Connection {
    address: SocketAddr,
    host: HeaderValue,
    sender: Sender,
}

impl Connection {
    pub(super) async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        Ok(Self {
            address,
            host: HeaderValue::try_from(address.to_string())?,
            sender: handshake(address).await?,
        })
    }

    pub(super) async fn place(&mut self, order: Order) -> Answer {
        match self.exchange(order).await {
            Ok((status, body)) => Answer::over_http(status, &body),
            Err(error) => Answer::broken(&error),
        }
    }

    async fn exchange(&mut self, order: Order) -> anyhow::Result<(StatusCode, Bytes)> {
        let request = self.request(order)?;
        // A server closes what was idle for long, and an order that was given up
        // takes its connection with it.
        if self.sender.ready().await.is_err() {
            self.sender = handshake(self.address).await?;
        }
        let response = match self.sender.try_send_request(request).await {
            Ok(response) => response,
            Err(mut failed) => match failed.take_message() {
                // It was closed at this very moment: nothing of the order was
                // written, so this is no second try.
                Some(request) => {
                    self.sender = handshake(self.address).await?;
                    self.sender.send_request(request).await?
                }
                None => return Err(failed.into_error().into()),
            },
        };
        let status = response.status();
        // The connection is free again only when all of the answer is read.
        let body = response.into_body().collect().await?.to_bytes();
        Ok((status, body))
    }

    fn request(&self, order: Order) -> anyhow::Result<Request<Full<Bytes>>> {
        let mut body = Vec::with_capacity(USUAL_BODY);
        serde_json::to_writer(&mut body, &order)?;
        let mut request = Request::post("/order")
            .header(header::HOST, &self.host)
            .header(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/json"),
            );
        if let Some(key) = order.key {
            request = request.header(IDEMPOTENCY_KEY, key);
        }
        Ok(request.body(Full::new(body.into()))?)
    }
}

async fn handshake(address: SocketAddr) -> anyhow::Result<Sender> {
    let stream = target::open(address).await?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Ends with the sender. A failure reaches the order that it befalls.
    tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok(sender)
}
