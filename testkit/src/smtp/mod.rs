//! A mail server that keeps what it is sent, or does not take it, as told.
//!
//! Invariant: a message counts as received exactly when the sink has taken
//! responsibility for it, as RFC 5321 means it: with the 250 after DATA, or in
//! [`Behaviour::Cut`] with the 250 that got lost.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use std::time::Duration;
//! use testkit::smtp::{Behaviour, Sink, Stage};
//!
//! let sink = Sink::start().await?;
//! sink.set_for(3, Behaviour::refuse(Stage::Message));
//! // … let the service send to sink.url() …
//! let mails = sink.wait_for(1, Duration::from_secs(10)).await?;
//! assert_eq!(mails[0].subject.as_deref(), Some("Order confirmed"));
//! assert_eq!(sink.struck(), 3);
//! # Ok(())
//! # }
//! ```

mod behaviour;
mod command;
mod inbox;
mod mail;
mod session;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

pub use behaviour::{Behaviour, Stage};
use inbox::Inbox;
pub use mail::Mail;
use session::Session;

/// An SMTP server on a free port of 127.0.0.1. It closes, with all its
/// connections, when dropped.
#[derive(Debug)]
pub struct Sink {
    address: SocketAddr,
    inbox: Arc<Inbox>,
    accepting: AbortHandle,
    hang_up: Arc<Notify>,
}

impl Sink {
    /// Opens the port; connections are served from then on.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let inbox = Arc::new(Inbox::new());
        let hang_up = Arc::new(Notify::new());
        let accepting = accept(listener, Arc::clone(&inbox), Arc::clone(&hang_up));
        let accepting = tokio::spawn(accepting).abort_handle();
        Ok(Self {
            address,
            inbox,
            accepting,
            hang_up,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `smtp://127.0.0.1:port`, as `SMTP_URL` takes it. There is no TLS.
    pub fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// Behaves like this from the next message on.
    pub fn set(&self, behaviour: Behaviour) {
        self.inbox.script(|script| script.set(behaviour));
    }

    /// Behaves like this for the next `times` messages (or recipients, or
    /// connections, by the behaviour's stage), and then accepts again.
    pub fn set_for(&self, times: usize, behaviour: Behaviour) {
        self.inbox.script(|script| script.set_for(times, behaviour));
    }

    /// How often a behaviour other than acceptance was shown.
    pub fn struck(&self) -> usize {
        self.inbox.script(|script| script.struck())
    }

    /// All received messages, in the order of their arrival.
    pub fn messages(&self) -> Vec<Arc<Mail>> {
        self.inbox.all()
    }

    /// How many messages were received.
    pub fn count(&self) -> usize {
        *self.inbox.count().borrow()
    }

    /// The messages with this Message-ID, with or without its angle brackets:
    /// more than one where a client sent again.
    pub fn by_message_id(&self, id: &str) -> Vec<Arc<Mail>> {
        self.inbox
            .with_message_id(id.trim_matches(|c| matches!(c, '<' | '>')))
    }

    /// Every Message-ID and how often it came.
    pub fn message_ids(&self) -> BTreeMap<String, usize> {
        self.inbox.message_ids()
    }

    /// Waits until at least `count` messages are there and returns all.
    pub async fn wait_for(&self, count: usize, limit: Duration) -> anyhow::Result<Vec<Arc<Mail>>> {
        let mut news = self.inbox.count();
        let enough = timeout(limit, news.wait_for(|&there| there >= count));
        if enough.await.is_err() {
            bail!("waited {limit:?} for {count} mails; {} came", self.count());
        }
        Ok(self.messages())
    }

    /// Closes all connections without a word, as servers do with idle ones.
    pub fn hang_up(&self) {
        self.hang_up.notify_one();
    }

    /// Forgets all messages received so far.
    pub fn clear(&self) {
        self.inbox.clear();
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, inbox: Arc<Inbox>, hang_up: Arc<Notify>) {
    // Aborting this task drops the set and so every connection.
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // An error here is the client's: it has gone already.
                if let Ok((stream, _)) = accepted {
                    sessions.spawn(Session::new(stream, Arc::clone(&inbox)).run());
                }
            }
            // How a session ended is the client's to judge.
            Some(_) = sessions.join_next() => {}
            () = hang_up.notified() => sessions.abort_all(),
        }
    }
}
