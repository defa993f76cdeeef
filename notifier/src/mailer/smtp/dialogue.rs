//! A connection to a mail server, and the commands of one mail (RFC 5321).

use lettre::{
    Address,
    transport::smtp::{
        Error as SmtpError,
        authentication::DEFAULT_MECHANISMS,
        client::{AsyncSmtpConnection, TlsParameters},
        commands::{Data, Mail, Rcpt, Rset},
        extension::{ClientId, Extension, MailBodyParameter, MailParameter},
    },
};
use tokio::net::TcpStream;

use super::{
    letter::Letter,
    server::{Encryption, SmtpServer},
};

/// A dialogue that is not in the middle of a mail, unless one is being told.
pub(super) struct Dialogue(AsyncSmtpConnection);

/// Why a server did not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// It answered with a code of 400 or more.
    Reply(u16),
    /// It is gone, or said what cannot be understood.
    Gone,
}

impl From<SmtpError> for Failure {
    fn from(error: SmtpError) -> Self {
        error
            .status()
            .map_or(Self::Gone, |code| Self::Reply(u16::from(code)))
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Reply(code) => write!(f, "SMTP {code}"),
            Self::Gone => f.write_str("no answer"),
        }
    }
}

/// What a server did not let us do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Closed {
    #[error("the mail server cannot be connected to")]
    Connect,
    #[error("the mail server does not greet us ({0})")]
    Greeting(Failure),
    #[error("the mail server offers no STARTTLS, which tls=required asks for")]
    NoTls,
    #[error("no encrypted connection to the mail server can be made")]
    Tls,
    #[error("the mail server refuses user and password ({0})")]
    Login(Failure),
    #[error("the mail server takes no mails from this sender ({0})")]
    Sender(Failure),
}

impl Dialogue {
    /// Connects, greets, encrypts and logs in.
    pub(super) async fn open(
        server: &SmtpServer,
        tls: Option<&TlsParameters>,
        hello: &ClientId,
    ) -> Result<Self, Closed> {
        let address = (server.host.as_str(), server.port);
        let mut connection = if server.encryption == Encryption::FromTheStart {
            AsyncSmtpConnection::connect_tokio1(address, None, hello, tls.cloned(), None)
                .await
                .map_err(|error| match Failure::from(error) {
                    Failure::Gone => Closed::Tls,
                    reply @ Failure::Reply(_) => Closed::Greeting(reply),
                })?
        } else {
            let stream = TcpStream::connect(address)
                .await
                .and_then(|stream| stream.set_nodelay(true).map(|()| stream))
                .map_err(|_| Closed::Connect)?;
            AsyncSmtpConnection::connect_with_transport(Box::new(stream), hello)
                .await
                .map_err(|error| Closed::Greeting(error.into()))?
        };
        let is_offered = connection.can_starttls();
        match (server.encryption, tls) {
            (Encryption::StartTls, _) if !is_offered => return Err(Closed::NoTls),
            (Encryption::StartTls | Encryption::StartTlsIfOffered, Some(tls)) if is_offered => {
                connection
                    .starttls(tls.clone(), hello)
                    .await
                    .map_err(|_| Closed::Tls)?;
            }
            _ => {}
        }
        if let Some(login) = &server.login {
            connection
                .auth(DEFAULT_MECHANISMS, login)
                .await
                .map_err(|error| Closed::Login(error.into()))?;
        }
        Ok(Self(connection))
    }

    /// Whether the server takes the addresses of this mail (RFC 6531).
    pub(super) fn can_carry(&self, letter: &Letter) -> bool {
        letter.is_ascii()
            || self
                .0
                .server_info()
                .supports_feature(Extension::SmtpUtfEight)
    }

    /// Begins a mail: says who it is from, and nothing yet of whom it is to. One
    /// that cannot be carried is not begun.
    pub(super) async fn begin(
        &mut self,
        from: &Address,
        letter: Option<&Letter>,
    ) -> Result<(), Failure> {
        let mut parameters = Vec::new();
        if let Some(letter) = letter.filter(|letter| !letter.is_ascii()) {
            if !self.can_carry(letter) {
                return Ok(());
            }
            parameters.push(MailParameter::SmtpUtfEight);
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        let command = Mail::new(Some(from.clone()), parameters);
        self.0.command(command).await?;
        Ok(())
    }

    /// Tells the rest of a mail that was begun. The server has it when this is `Ok`.
    pub(super) async fn deliver(&mut self, letter: &Letter) -> Result<(), Failure> {
        let recipient = Rcpt::new(letter.to.clone(), Vec::new());
        self.0.command(recipient).await?;
        self.0.command(Data).await?;
        self.0.message(&letter.bytes).await?;
        Ok(())
    }

    /// Forgets a mail that was begun.
    pub(super) async fn reset(&mut self) -> Result<(), Failure> {
        self.0.command(Rset).await?;
        Ok(())
    }
}
