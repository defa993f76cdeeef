//! Server-sent events out of a response's bytes (HTML, section 9.2.6).
//!
//! Invariant: what is kept of an unfinished event is bounded, and pieces may be cut
//! anywhere, within a character too.

/// The largest event that is put together, in bytes: the largest document is well
/// below.
const LARGEST: usize = 4 * 1024 * 1024;

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Event {
    /// `message` unless it said otherwise.
    pub(super) name: String,
    pub(super) data: String,
}

/// An event did not end within bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event had no end")]
pub(super) struct Endless;

/// Puts events together.
#[derive(Debug, Default)]
pub(super) struct Parser {
    line: Vec<u8>,
    name: String,
    data: String,
}

impl Parser {
    /// The events that a piece completes.
    pub(super) fn push(&mut self, piece: &[u8]) -> Result<Vec<Event>, Endless> {
        let mut events = Vec::new();
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if self.line.len() + self.data.len() > LARGEST {
                return Err(Endless);
            }
            if part.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                events.extend(self.take(line.trim_ascii_end()));
            }
        }
        Ok(events)
    }

    fn take(&mut self, line: &[u8]) -> Option<Event> {
        let line = String::from_utf8_lossy(line);
        if line.is_empty() {
            let name = std::mem::take(&mut self.name);
            let data = std::mem::take(&mut self.data);
            return (!data.is_empty()).then(|| Event {
                name: if name.is_empty() {
                    "message".to_owned()
                } else {
                    name
                },
                data,
            });
        }
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" => {
                if !self.data.is_empty() {
                    self.data.push('\n');
                }
                self.data.push_str(value);
            }
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str, data: &str) -> Event {
        Event {
            name: name.to_owned(),
            data: data.to_owned(),
        }
    }

    #[test]
    fn events_come_out_wherever_they_were_cut() {
        let text = "event: orders\r\ndata: {\"name\":\"Gerät\"}\r\n\r\n:\n\ndata: a\ndata: b\n\n";
        let expected = [
            event("orders", "{\"name\":\"Gerät\"}"),
            event("message", "a\nb"),
        ];
        for size in 1..text.len() {
            let mut parser = Parser::default();
            let pieces = text.as_bytes().chunks(size);
            let events: Vec<Event> = pieces
                .flat_map(|piece| parser.push(piece).unwrap())
                .collect();
            assert_eq!(events, expected, "in pieces of {size}");
        }
    }

    #[test]
    fn comments_and_unknown_fields_are_no_events() {
        let mut parser = Parser::default();
        let events = parser.push(b":\n\nid: 7\nretry: 1\n\nevent: x\n\n");
        assert_eq!(events, Ok(Vec::new()));
    }

    #[test]
    fn an_event_without_an_end_is_given_up() {
        let mut parser = Parser::default();
        let piece = vec![b'x'; 1024 * 1024];
        let given_up = (0..5).find_map(|_| parser.push(&piece).err());
        assert_eq!(given_up, Some(Endless));
    }
}
