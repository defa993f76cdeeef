//! Where the mail server is and how it is spoken to, as its URL says.

use chassis::config::Setting;
use lettre::transport::smtp::{
    SMTP_PORT, SUBMISSION_PORT, SUBMISSIONS_PORT, authentication::Credentials,
};
use percent_encoding::percent_decode_str;
use url::{Host, Url};

/// A mail server.
///
/// `smtp://host:25`, `smtp://host:587?tls=required` (STARTTLS),
/// `smtp://host:587?tls=opportunistic` (STARTTLS where it is offered) or
/// `smtps://host:465` (RFC 8314), each with `user:password@` before the host.
/// Prints without its password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmtpServer {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) encryption: Encryption,
    pub(super) login: Option<Credentials>,
}

/// How a connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encryption {
    None,
    StartTls,
    StartTlsIfOffered,
    FromTheStart,
}

impl Setting for SmtpServer {
    const EXPECTS: &'static str = "smtp://host:port, smtp://host:port?tls=required or \
         smtps://host:port, with user:password@ before the host only where TLS is required";
    const SECRET: bool = true;

    fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let (host, is_local) = match url.host()? {
            // With a scheme that `url` does not know, an address stays a name.
            Host::Domain(name) => {
                let address = name
                    .parse()
                    .is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
                (name.to_owned(), address || name == "localhost")
            }
            Host::Ipv4(ip) => (ip.to_string(), ip.is_loopback()),
            Host::Ipv6(ip) => (ip.to_string(), ip.is_loopback()),
        };
        let mut tls = None;
        for (name, value) in url.query_pairs() {
            match name.as_ref() {
                "tls" => tls = Some(value.into_owned()),
                _ => return None,
            }
        }
        let (encryption, port) = match (url.scheme(), tls.as_deref()) {
            ("smtp", None) => (Encryption::None, SMTP_PORT),
            ("smtp", Some("required")) => (Encryption::StartTls, SUBMISSION_PORT),
            ("smtp", Some("opportunistic")) => (Encryption::StartTlsIfOffered, SUBMISSION_PORT),
            ("smtps", None) => (Encryption::FromTheStart, SUBMISSIONS_PORT),
            _ => return None,
        };
        let login = login(&url).ok()?;
        let is_private =
            is_local || matches!(encryption, Encryption::StartTls | Encryption::FromTheStart);
        let is_whole = !host.is_empty() && matches!(url.path(), "" | "/");
        (is_whole && (login.is_none() || is_private)).then_some(Self {
            host,
            port: url.port().unwrap_or(port),
            encryption,
            login,
        })
    }
}

/// User and password, or neither; a half of them is a mistake.
fn login(url: &Url) -> Result<Option<Credentials>, HalfLogin> {
    let decoded = |text| match percent_decode_str(text).decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => Err(HalfLogin),
    };
    match (url.username(), url.password()) {
        ("", None) => Ok(None),
        ("", _) | (_, None) => Err(HalfLogin),
        (user, Some(password)) => Ok(Some(Credentials::new(decoded(user)?, decoded(password)?))),
    }
}

/// User or password is missing, or is not UTF-8.
#[derive(Debug)]
struct HalfLogin;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_says_where_and_how() {
        let parsed = |text| {
            let server = SmtpServer::parse(text).unwrap();
            (server.host, server.port, server.encryption)
        };
        for (text, expected) in [
            ("smtp://mail", ("mail", 25, Encryption::None)),
            (
                "smtp://127.0.0.1:2525/",
                ("127.0.0.1", 2525, Encryption::None),
            ),
            ("smtp://[::1]:2525", ("::1", 2525, Encryption::None)),
            (
                "smtp://mail.example?tls=required",
                ("mail.example", 587, Encryption::StartTls),
            ),
            (
                "smtp://mail.example:25?tls=opportunistic",
                ("mail.example", 25, Encryption::StartTlsIfOffered),
            ),
            (
                "smtps://mail.example",
                ("mail.example", 465, Encryption::FromTheStart),
            ),
        ] {
            let (host, port, encryption) = parsed(text);
            assert_eq!((host.as_str(), port, encryption), expected, "{text}");
        }
    }

    #[test]
    fn a_password_goes_only_where_nobody_listens() {
        let server = SmtpServer::parse("smtps://me:p%40ss@mail.example").unwrap();
        let login = Credentials::new("me".to_owned(), "p@ss".to_owned());
        assert_eq!(server.login, Some(login));
        assert!(!format!("{server:?}").contains("p@ss"));
        assert!(SmtpServer::parse("smtp://me:pass@localhost:2525").is_some());
        assert!(SmtpServer::parse("smtp://me:pass@127.0.0.1:2525").is_some());
        assert!(SmtpServer::parse("smtp://me:pass@mail.example").is_none());
        assert!(SmtpServer::parse("smtp://me:pass@mail.example?tls=opportunistic").is_none());
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "mail:25",
            "imap://mail",
            "smtp://",
            "smtp://mail:99999",
            "smtp://mail?tls=maybe",
            "smtp://mail?tsl=required",
            "smtps://mail?tls=required",
            "smtp://mail/path",
            "smtps://me@mail",
            "smtps://:pass@mail",
        ] {
            assert_eq!(SmtpServer::parse(text), None, "{text:?}");
        }
    }
}
