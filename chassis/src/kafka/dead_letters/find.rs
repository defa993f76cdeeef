//! Finds dead letters, and whether they are back already.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    time::Instant,
};

use super::{DeadLetter, LetterId, Replays};
use crate::kafka::{
    KafkaOptions, Record,
    reader::{self, From, Part, Stretch, Then},
};

/// How many of each partition's newest letters are looked through for those of a
/// class.
const LOOKED_THROUGH: i64 = 2_000;
/// Bytes of letters that are held to show the newest.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// A letter, and whether it was put back.
#[derive(Debug, Clone)]
pub struct Found {
    /// The letter.
    pub letter: DeadLetter,
    /// Whether this failure was put back already.
    pub is_back: bool,
}

/// Looking took longer than it may.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the deadline passed before everything was read")]
pub struct Late;

/// The letters that are asked for are more than may be held at once.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the letters are more than {0} bytes together")]
pub struct TooLarge(pub usize);

/// The letters of some services that were given up since then and are let through,
/// oldest first. Blocks.
pub fn find(
    options: &KafkaOptions,
    services: &[&str],
    since_ms: Option<i64>,
    admits: impl Fn(&DeadLetter) -> bool,
) -> anyhow::Result<Vec<Found>> {
    let from = since_ms.map_or(From::Beginning, From::Since);
    let mut letters = Vec::new();
    // One after the other: without a deadline a reader wants to know of one topic
    // what it waits for.
    for service in services {
        let stretches = [stretch(service, from)];
        reader::read(options, &stretches, None, |record| {
            let letter = DeadLetter::of(service, record);
            let is_old = since_ms.is_some_and(|since| letter.record.timestamp_ms() < since);
            if !is_old && admits(&letter) {
                letters.push(letter);
            }
            Then::Next
        })?;
    }
    letters.sort_by_key(|letter| letter.record.timestamp_ms());
    mark(options, letters, None)
}

/// The newest letters.
#[derive(Debug, Clone)]
pub struct Newest {
    /// At most as many as wished, newest first.
    pub found: Vec<Found>,
    /// Whether there are more, or may be: letters of a class are looked for among the
    /// newest only.
    pub truncated: bool,
}

/// The newest letters of some services, of one class or of all. Reads near the ends of
/// the topics only. Blocks, until the deadline at most.
pub fn newest(
    options: &KafkaOptions,
    services: &[&str],
    class: Option<&str>,
    count: usize,
    deadline: Instant,
) -> anyhow::Result<Newest> {
    // The newest of all are among the newest of each partition.
    let depth = match class {
        None => i64::try_from(count).unwrap_or(i64::MAX),
        Some(_) => LOOKED_THROUGH,
    };
    let mut kept = Kept::new(count);
    let stretches: Vec<Stretch> = services
        .iter()
        .map(|service| stretch(service, From::Last(depth)))
        .collect();
    let read = reader::read(options, &stretches, Some(deadline), |record| {
        if let Some(letter) = letter(services, record)
            && class.is_none_or(|class| letter.class == class)
        {
            kept.add(letter);
        }
        Then::Next
    })?;
    anyhow::ensure!(read.complete, Late);
    let truncated = kept.dropped || read.older;
    let found = mark(options, kept.newest_first(), Some(deadline))?;
    Ok(Newest { found, truncated })
}

/// The letters with these ids, as far as there are such, in the order of the ids.
/// At most so many bytes of them are held; more is the error [`TooLarge`]. Blocks, until
/// the deadline at most.
pub fn named(
    options: &KafkaOptions,
    ids: &[LetterId],
    most_bytes: usize,
    deadline: Instant,
) -> anyhow::Result<Vec<Found>> {
    // Of each partition, the first and the last that is wanted.
    let mut spans: BTreeMap<(&str, i32), (i64, i64)> = BTreeMap::new();
    for id in ids {
        let (first, last) = spans
            .entry((&id.service, id.partition))
            .or_insert((id.offset, id.offset));
        *first = id.offset.min(*first);
        *last = id.offset.max(*last);
    }
    let stretches: Vec<Stretch> = spans
        .iter()
        .map(|((service, partition), (first, _))| Stretch {
            part: Part::Partition(*partition),
            ..stretch(service, From::Offset(*first))
        })
        .collect();
    let services: Vec<&str> = spans.keys().map(|(service, _)| *service).collect();
    let mut letters: BTreeMap<LetterId, DeadLetter> = BTreeMap::new();
    let mut bytes = 0;
    let read = reader::read(options, &stretches, Some(deadline), |record| {
        let Some(letter) = letter(&services, record) else {
            return Then::Next;
        };
        let id = letter.letter_id();
        let span = spans.get(&(&*id.service, id.partition));
        let is_last = span.is_none_or(|(_, last)| id.offset >= *last);
        if ids.contains(&id) {
            bytes += letter.record.size();
            if bytes > most_bytes {
                return Then::Stop;
            }
            letters.insert(id, letter);
        }
        if is_last { Then::Enough } else { Then::Next }
    })?;
    anyhow::ensure!(read.complete, Late);
    anyhow::ensure!(bytes <= most_bytes, TooLarge(most_bytes));
    let letters = ids.iter().filter_map(|id| letters.remove(id)).collect();
    mark(options, letters, Some(deadline))
}

fn stretch(service: &str, from: From) -> Stretch {
    Stretch::of(KafkaOptions::dead_letters(service), from)
}

/// A record of one of these services' topics.
fn letter(services: &[&str], record: Record) -> Option<DeadLetter> {
    let service = services
        .iter()
        .find(|service| KafkaOptions::dead_letters(service) == record.topic())?;
    Some(DeadLetter::of(service, record))
}

/// Whether each is back.
fn mark(
    options: &KafkaOptions,
    letters: Vec<DeadLetter>,
    deadline: Option<Instant>,
) -> anyhow::Result<Vec<Found>> {
    // Nothing is put back before it was given up.
    let mut since: BTreeMap<String, i64> = BTreeMap::new();
    for letter in &letters {
        let given_up = letter.record.timestamp_ms();
        since
            .entry(letter.service.clone())
            .and_modify(|since| *since = given_up.min(*since))
            .or_insert(given_up);
    }
    let replays = Replays::since(options, &since, deadline)?;
    let found = letters.into_iter().map(|letter| Found {
        is_back: replays.contain(&letter),
        letter,
    });
    Ok(found.collect())
}

/// The newest letters among those that come by.
struct Kept {
    letters: BinaryHeap<Reverse<Ranked>>,
    most: usize,
    bytes: usize,
    dropped: bool,
}

/// A letter, in the order of time.
struct Ranked(DeadLetter);

impl Ranked {
    fn rank(&self) -> (i64, LetterId) {
        (self.0.record.timestamp_ms(), self.0.letter_id())
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.rank() == other.rank()
    }
}

impl Eq for Ranked {}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl Kept {
    fn new(most: usize) -> Self {
        Self {
            letters: BinaryHeap::new(),
            most,
            bytes: 0,
            dropped: false,
        }
    }

    fn add(&mut self, letter: DeadLetter) {
        self.bytes += letter.record.size();
        self.letters.push(Reverse(Ranked(letter)));
        // One is kept, however large: it may be the one that is looked for.
        while self.letters.len() > self.most || (self.bytes > MOST_BYTES && self.letters.len() > 1)
        {
            let Some(Reverse(Ranked(oldest))) = self.letters.pop() else {
                return;
            };
            self.bytes -= oldest.record.size();
            self.dropped = true;
        }
    }

    fn newest_first(self) -> Vec<DeadLetter> {
        let sorted = self.letters.into_sorted_vec();
        sorted
            .into_iter()
            .map(|Reverse(Ranked(letter))| letter)
            .collect()
    }
}
