//! Dead letters as text and as JSON.

use std::fmt::Write as _;

use chassis::kafka::{Record, dead_letters::Found, headers};
use comfy_table::Table;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::output::table;

/// Characters of a reason that a table shows.
const REASON: usize = 60;
/// Bytes of a value that cannot be decoded which are shown.
const BYTES: usize = 256;

pub(super) fn list(found: &[Found]) -> Table {
    let mut rows = table([
        "ID", "GIVEN UP", "FROM", "KEY", "CLASS", "REASON", "TRIED", "REPLAYED",
    ]);
    for Found { letter, is_back } in found {
        rows.add_row([
            letter.id(),
            time(letter.record.timestamp_ms()),
            letter.origin.to_string(),
            key(&letter.record),
            letter.class.clone(),
            shortened(&letter.message),
            letter.attempts.to_string(),
            if *is_back { "yes" } else { "no" }.to_owned(),
        ]);
    }
    rows
}

pub(super) fn summary(Found { letter, is_back }: &Found) -> Value {
    json!({
        "id": letter.id(),
        "service": letter.service,
        "givenUpAt": time(letter.record.timestamp_ms()),
        "origin": {
            "topic": letter.origin.topic,
            "partition": letter.origin.partition,
            "offset": letter.origin.offset,
            "time": time(letter.origin_timestamp_ms),
        },
        "key": key(&letter.record),
        "class": letter.class,
        "reason": letter.message,
        "attempts": letter.attempts,
        "replays": letter.replays,
        "replayed": is_back,
    })
}

/// Everything about one letter.
pub(super) fn whole(found: &Found) -> Value {
    let record = &found.letter.record;
    let mut whole = summary(found);
    let of_record: Vec<Value> = headers_of(record)
        .map(|(name, value)| json!({ "name": name, "value": value }))
        .collect();
    whole["headers"] = of_record.into();
    whole["bytes"] = record.payload().map(<[u8]>::len).into();
    match value(record) {
        Ok(value) => whole["value"] = value,
        Err(why) => {
            whole["undecodable"] = why.into();
            whole["valueHex"] = hex(record.payload().unwrap_or_default()).into();
        }
    }
    whole
}

pub(super) fn page(found: &Found) -> String {
    let letter = &found.letter;
    let record = &letter.record;
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "{name:<10} {value}");
    };
    line("id", letter.id());
    line("class", letter.class.clone());
    line("reason", letter.message.escape_debug().to_string());
    line(
        "given up",
        format!(
            "{} after {} attempts",
            time(record.timestamp_ms()),
            letter.attempts
        ),
    );
    line(
        "from",
        format!(
            "{}, written {}",
            letter.origin,
            time(letter.origin_timestamp_ms)
        ),
    );
    line("key", key(record));
    let back = if found.is_back {
        "; put back since"
    } else {
        ""
    };
    line("replays", format!("{}{back}", letter.replays));
    let _ = writeln!(text, "\nheaders");
    for (name, value) in headers_of(record) {
        let _ = writeln!(text, "  {name:<24} {value}");
    }
    let size = record.payload().map_or(0, <[u8]>::len);
    match value(record) {
        Ok(value) => {
            let _ = write!(text, "\nvalue ({size} bytes)\n{value:#}");
        }
        Err(why) => {
            let bytes = record.payload().unwrap_or_default();
            let _ = write!(text, "\nvalue ({size} bytes): {why}\n{}", hex(bytes));
        }
    }
    text
}

/// The value, decoded by the type that the headers name, private fields masked.
fn value(record: &Record) -> Result<Value, String> {
    let name = record
        .text_header(headers::CE_TYPE)
        .ok_or_else(|| format!("no {} header says what it is", headers::CE_TYPE))?;
    let payload = record.payload().unwrap_or_default();
    proto::json::bytes_to_json(name, payload)
        .map_err(|error| error.to_string().escape_debug().to_string())
}

fn headers_of(record: &Record) -> impl Iterator<Item = (String, String)> {
    record.headers().map(|(name, value)| {
        let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).escape_debug().to_string();
        (shown(name), value.map(shown).unwrap_or_default())
    })
}

fn key(record: &Record) -> String {
    let key = String::from_utf8_lossy(record.key().unwrap_or_default());
    key.escape_debug().to_string()
}

fn time(millis: i64) -> String {
    Timestamp::from_millisecond(millis)
        .map_or_else(|_| "unknown".to_owned(), |time| time.to_string())
}

/// One line, with no control characters.
fn shortened(text: &str) -> String {
    let mut line: String = text.escape_debug().take(REASON).collect();
    if text.chars().count() > REASON {
        line.push('…');
    }
    line
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes.iter().take(BYTES) {
        let _ = write!(text, "{byte:02x}");
    }
    if bytes.len() > BYTES {
        text.push('…');
    }
    text
}
