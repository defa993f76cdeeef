//! Sends mails over SMTP, on connections that are kept.
//!
//! Invariants:
//!
//! - Only what a server says to a mail's recipient or content ends or defers that
//!   mail. What it says before concerns us, and all mails wait for it alike.
//! - A connection is kept only between mails. Whatever breaks off in the middle,
//!   a timeout or a cancelled future included, closes it: nothing that was meant
//!   for one mail is ever taken for another's answer.

mod dialogue;
mod letter;
mod server;

use std::{
    future::Future,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use chassis::lock::locked;
use lettre::{
    message::Mailbox,
    transport::smtp::{client::TlsParameters, extension::ClientId},
};
use tokio::time::{Instant, timeout_at};

pub use self::server::SmtpServer;
use self::{
    dialogue::{Closed, Dialogue, Failure},
    letter::Letter,
    server::Encryption,
};
use super::{Mailer, Sent};
use crate::mail::StoredMail;

/// How to reach the mail server.
#[derive(Debug, Clone)]
pub struct SmtpOptions {
    /// Where it is.
    pub server: SmtpServer,
    /// Who the mails are from, such as `Shop <orders@shop.example>`.
    pub from: Mailbox,
    /// How long one mail may take, connecting included.
    pub timeout: Duration,
    /// Connections that are kept.
    pub connections: usize,
}

/// No encrypted connection can be made from here.
#[derive(Debug, thiserror::Error)]
#[error("the system's certificates cannot be used for the mail server: {0}")]
pub struct TlsError(#[from] lettre::transport::smtp::Error);

/// Sends over SMTP.
pub struct Smtp {
    options: SmtpOptions,
    tls: Option<TlsParameters>,
    hello: ClientId,
    kept: Mutex<Vec<Dialogue>>,
}

impl std::fmt::Debug for Smtp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Smtp")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Smtp {
    /// Connects when there is something to send.
    pub fn new(options: SmtpOptions) -> Result<Self, TlsError> {
        let tls = match options.server.encryption {
            Encryption::None => None,
            _ => Some(TlsParameters::new(options.server.host.clone())?),
        };
        Ok(Self {
            options,
            tls,
            hello: ClientId::default(),
            kept: Mutex::default(),
        })
    }

    /// A connection to which a mail from us has been begun. One that was kept and
    /// does not go on is dropped; a new one tells why.
    async fn begin(&self, letter: Option<&Letter>) -> Result<Dialogue, Closed> {
        let from = &self.options.from.email;
        loop {
            let Some(mut dialogue) = self.kept().pop() else {
                break;
            };
            if dialogue.begin(from, letter).await.is_ok() {
                return Ok(dialogue);
            }
        }
        let server = &self.options.server;
        let mut dialogue = Dialogue::open(server, self.tls.as_ref(), &self.hello).await?;
        dialogue.begin(from, letter).await.map_err(Closed::Sender)?;
        Ok(dialogue)
    }

    /// Waits for a server that lets us in. If it does not answer, none of the
    /// connections to it is of use any more.
    async fn bounded(
        &self,
        deadline: Instant,
        begin: impl Future<Output = Result<Dialogue, Closed>>,
    ) -> Result<Dialogue, String> {
        let why = match timeout_at(deadline, begin).await {
            Ok(Ok(dialogue)) => return Ok(dialogue),
            Ok(Err(closed)) => closed.to_string(),
            Err(_) => self.silence(),
        };
        self.kept().clear();
        Err(why)
    }

    fn silence(&self) -> String {
        let timeout = self.options.timeout;
        format!("the mail server did not answer in {timeout:?}")
    }

    fn keep(&self, dialogue: Dialogue) {
        let mut kept = self.kept();
        if kept.len() < self.options.connections {
            kept.push(dialogue);
        }
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Dialogue>> {
        locked(&self.kept)
    }
}

#[async_trait]
impl Mailer for Smtp {
    async fn send(&self, mail: &StoredMail) -> Sent {
        let Some(letter) = Letter::of(mail, &self.options.from) else {
            return Sent::Refused("its address or text cannot be put into a mail".to_owned());
        };
        let deadline = Instant::now() + self.options.timeout;
        let begin = self.begin(Some(&letter));
        let mut dialogue = match self.bounded(deadline, begin).await {
            Ok(dialogue) => dialogue,
            Err(why) => return Sent::Unreachable(why),
        };
        if !dialogue.can_carry(&letter) {
            self.keep(dialogue);
            return Sent::Refused("the mail server takes only ASCII addresses".to_owned());
        }
        match timeout_at(deadline, dialogue.deliver(&letter)).await {
            Ok(Ok(())) => {
                self.keep(dialogue);
                Sent::Taken
            }
            Ok(Err(failure)) => {
                let sent = verdict(failure);
                let is_open = !matches!(sent, Sent::Lost(_));
                if is_open && matches!(timeout_at(deadline, dialogue.reset()).await, Ok(Ok(()))) {
                    self.keep(dialogue);
                }
                sent
            }
            Err(_) => Sent::Lost(self.silence()),
        }
    }

    async fn probe(&self) -> Result<(), String> {
        let deadline = Instant::now() + self.options.timeout;
        let mut dialogue = self.bounded(deadline, self.begin(None)).await?;
        if matches!(timeout_at(deadline, dialogue.reset()).await, Ok(Ok(()))) {
            self.keep(dialogue);
        }
        Ok(())
    }
}

/// What a failure means for the mail whose recipient or content met it.
fn verdict(failure: Failure) -> Sent {
    match failure {
        Failure::Gone => Sent::Lost("the mail server broke off".to_owned()),
        // "Closing" (RFC 5321) and "log in first" (RFC 4954): about the
        // connection, whatever it was that the server had just been told.
        Failure::Reply(code @ (421 | 530)) => {
            Sent::Lost(format!("the mail server broke off (SMTP {code})"))
        }
        Failure::Reply(code) if code < 500 => {
            Sent::Deferred(format!("the mail server put it off (SMTP {code})"))
        }
        Failure::Reply(code) => {
            Sent::Refused(format!("the mail server refused it for good (SMTP {code})"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_say_what_helps() {
        use Failure::{Gone, Reply};
        for code in [450, 451, 452] {
            assert!(matches!(verdict(Reply(code)), Sent::Deferred(_)), "{code}");
        }
        for code in [550, 551, 552, 553, 554] {
            assert!(matches!(verdict(Reply(code)), Sent::Refused(_)), "{code}");
        }
        for failure in [Gone, Reply(421), Reply(530)] {
            assert!(matches!(verdict(failure), Sent::Lost(_)), "{failure:?}");
        }
    }
}
