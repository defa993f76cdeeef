//! The commands of RFC 5321 that a sink needs to tell apart.

/// One command line of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// HELO: the answer is one line.
    Helo,
    /// EHLO: the answer lists the extensions.
    Ehlo,
    /// MAIL FROM with the reverse path, empty for bounces.
    Mail(String),
    /// RCPT TO with the forward path.
    Recipient(String),
    /// DATA: the message follows.
    Data,
    /// RSET: forget the transaction.
    Reset,
    /// NOOP: nothing.
    Noop,
    /// QUIT: say goodbye and close.
    Quit,
    /// Anything else.
    Unknown,
}

impl Command {
    /// Reads one line, with or without its line end. Commands are in any case.
    pub(super) fn parse(line: &str) -> Self {
        let line = line.trim_end();
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        match verb.to_ascii_uppercase().as_str() {
            "HELO" => Self::Helo,
            "EHLO" => Self::Ehlo,
            "MAIL" => path(rest, "FROM:").map_or(Self::Unknown, Self::Mail),
            "RCPT" => path(rest, "TO:").map_or(Self::Unknown, Self::Recipient),
            "DATA" => Self::Data,
            "RSET" => Self::Reset,
            "NOOP" => Self::Noop,
            "QUIT" => Self::Quit,
            _ => Self::Unknown,
        }
    }
}

/// The address in `FROM:<address> PARAMETERS`. Parameters (SIZE, BODY) are
/// accepted unread, as RFC 1870 and RFC 6152 allow.
fn path(rest: &str, keyword: &str) -> Option<String> {
    let (found, path) = rest.split_at_checked(keyword.len())?;
    if !found.eq_ignore_ascii_case(keyword) {
        return None;
    }
    let (address, _) = path.trim_start().strip_prefix('<')?.split_once('>')?;
    Some(address.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_in_any_case_and_with_parameters() {
        for (line, command) in [
            ("EHLO client\r\n", Command::Ehlo),
            ("helo client\r\n", Command::Helo),
            (
                "mail from:<a@b.example> BODY=8BITMIME SIZE=10\r\n",
                Command::Mail("a@b.example".to_owned()),
            ),
            ("MAIL FROM:<>\r\n", Command::Mail(String::new())),
            (
                "RCPT TO: <c@d.example>\r\n",
                Command::Recipient("c@d.example".to_owned()),
            ),
            ("DATA\r\n", Command::Data),
            ("Quit\n", Command::Quit),
            ("STARTTLS\r\n", Command::Unknown),
            ("MAIL a@b.example\r\n", Command::Unknown),
            ("RCPT é\r\n", Command::Unknown),
        ] {
            assert_eq!(Command::parse(line), command, "{line:?}");
        }
    }
}
