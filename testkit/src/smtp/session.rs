//! One connection's conversation, after RFC 5321.
//!
//! Invariant: a message is in the inbox before its 250 is on the wire, so a
//! client that has the answer can count on a query to find the mail.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, BufWriter, copy, sink};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::sleep;

use super::behaviour::{Behaviour, Stage};
use super::command::Command;
use super::inbox::Inbox;
use super::mail::Mail;

/// Advertised as SIZE; larger messages are refused with 552.
const LARGEST_MESSAGE: usize = 16 << 20;

/// RFC 5321 allows 512 bytes; extensions may add to that.
const LONGEST_COMMAND: u64 = 4096;

/// Whether the conversation goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Continue,
    Close,
}

/// A client's connection and where in the protocol it is.
#[derive(Debug)]
pub(super) struct Session {
    reader: BufReader<OwnedReadHalf>,
    writer: BufWriter<OwnedWriteHalf>,
    inbox: Arc<Inbox>,
    from: Option<String>,
    to: Vec<String>,
}

impl Session {
    pub(super) fn new(stream: TcpStream, inbox: Arc<Inbox>) -> Self {
        // Answers are small and the client waits for each.
        stream.set_nodelay(true).ok();
        let (reader, writer) = stream.into_split();
        Self {
            reader: BufReader::new(reader),
            writer: BufWriter::new(writer),
            inbox,
            from: None,
            to: Vec::new(),
        }
    }

    /// Talks until the client leaves; an error is a lost connection.
    pub(super) async fn run(mut self) -> io::Result<()> {
        let mut next = self.greet().await?;
        while next == Next::Continue {
            self.flush_unless_pipelined().await?;
            next = match self.read_command().await? {
                Some(command) => self.answer(command).await?,
                None => Next::Close,
            };
        }
        self.writer.flush().await
    }

    async fn greet(&mut self) -> io::Result<Next> {
        match self.inbox.next(Stage::Greeting) {
            Behaviour::Accept => self.say("220 testkit ESMTP").await,
            other => self.misbehave(other).await,
        }
    }

    async fn answer(&mut self, command: Command) -> io::Result<Next> {
        match command {
            Command::Helo => self.say("250 testkit").await,
            Command::Ehlo => {
                let size = format!("250-SIZE {LARGEST_MESSAGE}");
                for line in ["250-testkit", "250-PIPELINING", "250-8BITMIME", &size] {
                    self.say(line).await?;
                }
                self.say("250 SMTPUTF8").await
            }
            Command::Mail(from) => {
                self.reset();
                self.from = Some(from);
                self.say("250 2.1.0 sender ok").await
            }
            Command::Recipient(_) if self.from.is_none() => self.say("503 5.5.1 MAIL first").await,
            Command::Recipient(to) => match self.inbox.next(Stage::Recipient) {
                Behaviour::Accept => {
                    self.to.push(to);
                    self.say("250 2.1.5 recipient ok").await
                }
                other => self.misbehave(other).await,
            },
            Command::Data if self.to.is_empty() => self.say("503 5.5.1 RCPT first").await,
            Command::Data => self.receive().await,
            Command::Reset => {
                self.reset();
                self.say("250 2.0.0 forgotten").await
            }
            Command::Noop => self.say("250 2.0.0 ok").await,
            Command::Quit => {
                self.say("221 2.0.0 bye").await?;
                Ok(Next::Close)
            }
            Command::Unknown => self.say("500 5.5.2 unknown command").await,
        }
    }

    async fn receive(&mut self) -> io::Result<Next> {
        self.say("354 end with a dot on a line of its own").await?;
        self.writer.flush().await?;
        acknowledge_at_once(self.reader.get_ref().as_ref());
        let Some(raw) = self.read_message().await? else {
            self.reset();
            return self.say("552 5.3.4 too large").await;
        };
        let mail = Mail::new(
            self.from.take().unwrap_or_default(),
            std::mem::take(&mut self.to),
            raw,
        );
        match self.inbox.next(Stage::Message) {
            Behaviour::Accept => {}
            Behaviour::Delay(delay) => sleep(delay).await,
            Behaviour::Cut { recorded } => {
                if recorded {
                    self.inbox.take(mail);
                }
                return Ok(Next::Close);
            }
            other => return self.misbehave(other).await,
        }
        self.inbox.take(mail);
        self.say("250 2.0.0 taken").await
    }

    /// What shows at any stage; the rest belongs to [`Self::receive`].
    async fn misbehave(&mut self, behaviour: Behaviour) -> io::Result<Next> {
        match behaviour {
            Behaviour::Answer { at, code } => {
                self.say(&format!("{code} as the test wants it")).await?;
                // RFC 5321 3.1 and 3.8: after such a greeting, and after any
                // 421, the server closes.
                let close = at == Stage::Greeting || code == 421;
                Ok(if close { Next::Close } else { Next::Continue })
            }
            Behaviour::Hang { .. } => {
                self.writer.flush().await?;
                copy(&mut self.reader, &mut sink()).await?;
                Ok(Next::Close)
            }
            Behaviour::Accept | Behaviour::Cut { .. } | Behaviour::Delay(_) => Ok(Next::Continue),
        }
    }

    fn reset(&mut self) {
        self.from = None;
        self.to.clear();
    }

    /// `None` at the end of the connection.
    async fn read_command(&mut self) -> io::Result<Option<Command>> {
        let mut line = Vec::new();
        let mut limited = (&mut self.reader).take(LONGEST_COMMAND);
        if limited.read_until(b'\n', &mut line).await? == 0 {
            return Ok(None);
        }
        Ok(Some(Command::parse(&String::from_utf8_lossy(&line))))
    }

    /// The message up to its final dot, or `None` if it is too large; an error
    /// if the connection ends before the dot.
    async fn read_message(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut message = Vec::new();
        let mut too_large = false;
        let mut line = Vec::new();
        loop {
            line.clear();
            if self.reader.read_until(b'\n', &mut line).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            match line.as_slice() {
                b".\r\n" | b".\n" => return Ok((!too_large).then_some(message)),
                // RFC 5321 4.5.2: a leading dot is doubled on the wire.
                [b'.', rest @ ..] => message.extend_from_slice(rest),
                whole => message.extend_from_slice(whole),
            }
            if message.len() > LARGEST_MESSAGE {
                too_large = true;
                message.clear();
            }
        }
    }

    async fn say(&mut self, line: &str) -> io::Result<Next> {
        self.writer.write_all(line.as_bytes()).await?;
        self.writer.write_all(b"\r\n").await?;
        Ok(Next::Continue)
    }

    /// Answers to pipelined commands go out together (RFC 2920 3.2).
    async fn flush_unless_pipelined(&mut self) -> io::Result<()> {
        if self.reader.buffer().contains(&b'\n') {
            return Ok(());
        }
        self.writer.flush().await
    }
}

/// Has the kernel acknowledge the message's first segment without its usual
/// 40 ms of delay. Clients that leave Nagle's algorithm on and send the final
/// dot by itself, as lettre does, hold the dot back until then.
fn acknowledge_at_once(stream: &TcpStream) {
    #[cfg(target_os = "linux")]
    stream.set_quickack(true).ok();
    #[cfg(not(target_os = "linux"))]
    let _ = stream;
}
