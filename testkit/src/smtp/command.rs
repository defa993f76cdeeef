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
    let path = path.trim_start().strip_prefix('<')?;
    Some(path[..end(path)?].to_owned())
}

/// Where a path ends: at its `>`, but for those within a quoted local part (RFC 5321,
/// section 4.1.2).
fn end(path: &str) -> Option<usize> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    path.char_indices().find_map(|(at, character)| {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            '>' if !is_quoted => return Some(at),
            _ => {}
        }
        None
    })
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
            (
                "RCPT TO:<\"<b>\\\"x</b>\"@d.example> SIZE=1\r\n",
                Command::Recipient("\"<b>\\\"x</b>\"@d.example".to_owned()),
            ),
            ("RCPT TO:<\"c@d.example>\r\n", Command::Unknown),
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
