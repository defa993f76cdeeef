//! Finds the records of a key, without reading all there are.
//!
//! Invariant: it reads of one partition of each topic only, from a time on, and gives
//! up after so many records, so many bytes of them or so long; then it says so.

use std::time::Instant;

use super::{
    KafkaOptions, Record,
    reader::{self, From, Stretch, Then},
};

/// Records that somebody looks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The topic, by its logical name.
    pub topic: &'static str,
    /// The records' key.
    pub key: String,
    /// From when on they were written, in milliseconds since the Unix epoch.
    pub since_ms: i64,
    /// From when on no more are looked for, once all that are expected are found.
    pub until_ms: i64,
    /// How many there should be.
    pub expected: usize,
}

/// How much a search may cost.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Records read, over all topics.
    pub read: usize,
    /// Records found.
    pub found: usize,
    /// Bytes of those, the last one's excepted.
    pub bytes: usize,
    /// When it ends at the latest.
    pub deadline: Instant,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// The records: by topic as it was asked, then in their order.
    pub records: Vec<Record>,
    /// Whether there are as many as expected of each topic.
    pub complete: bool,
}

/// Looks for records. Blocks.
pub fn find(options: &KafkaOptions, wanted: &[Wanted], bounds: Bounds) -> anyhow::Result<Found> {
    let mut found: Vec<Vec<Record>> = wanted.iter().map(|_| Vec::new()).collect();
    let (mut read, mut kept, mut bytes) = (0, 0, 0);
    let stretches: Vec<Stretch> = wanted
        .iter()
        .map(|wanted| Stretch {
            topic: wanted.topic.to_owned(),
            part: reader::Part::Key(wanted.key.clone().into_bytes()),
            from: From::Since(wanted.since_ms),
        })
        .collect();
    reader::read(options, &stretches, Some(bounds.deadline), |record| {
        read += 1;
        let of_topic = wanted.iter().zip(&mut found);
        let Some((wanted, found)) = of_topic
            .into_iter()
            .find(|(wanted, _)| wanted.topic == record.topic())
        else {
            return Then::Next;
        };
        let is_late = record.timestamp_ms() > wanted.until_ms;
        if record.key() == Some(wanted.key.as_bytes()) {
            kept += 1;
            bytes += record.size();
            found.push(record);
        }
        if read >= bounds.read || kept >= bounds.found || bytes >= bounds.bytes {
            Then::Stop
        } else if is_late && found.len() >= wanted.expected {
            Then::Enough
        } else {
            Then::Next
        }
    })?;
    let complete = wanted
        .iter()
        .zip(&found)
        .all(|(wanted, found)| found.len() >= wanted.expected);
    Ok(Found {
        records: found.into_iter().flatten().collect(),
        complete,
    })
}
