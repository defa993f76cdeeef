//! Places where the fault suite lets a process die, and mistakes that it makes on
//! purpose to see whether they would be noticed.
//!
//! Only with the feature `faults`, which no release has. Without it everything
//! here is empty and costs nothing.
//!
//! | variable | what it does |
//! |---|---|
//! | `FAULT_CRASH=point:n` | the process aborts when it passes the point for the n-th time |
//! | `FAULT_MISTAKE=name` | the code makes that mistake |

/// The process dies here, when told to.
#[inline]
pub fn point(name: Point) {
    #[cfg(feature = "faults")]
    told::point(name);
    #[cfg(not(feature = "faults"))]
    let _ = name;
}

/// Whether to make this mistake.
#[inline]
pub fn makes(mistake: Mistake) -> bool {
    #[cfg(feature = "faults")]
    return told::makes(mistake);
    #[cfg(not(feature = "faults"))]
    {
        let _ = mistake;
        false
    }
}

/// Where a process may die.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// A batch is decoded; nothing of it is written.
    BeforeHandler,
    /// The handler's transaction is committed; no offset is stored.
    AfterHandler,
    /// A dead letter is acknowledged; its record's offset is not stored.
    DeadLetterWritten,
    /// Payments: intents are written; nothing is charged.
    Claimed,
    /// Payments: the provider has charged; that is not written.
    Charged,
    /// Payments: outcomes are written; nothing is published.
    Settled,
    /// Payments: events are acknowledged; that is not marked.
    PaymentPublished,
    /// Notifier: the mail server has said 250; that is not recorded.
    MailTaken,
    /// Notifier: it is recorded; nothing is published.
    MailRecorded,
    /// Notifier: events are acknowledged; that is not marked.
    MailPublished,
}

impl Point {
    /// Every point.
    pub const ALL: [Self; 10] = [
        Self::BeforeHandler,
        Self::AfterHandler,
        Self::DeadLetterWritten,
        Self::Claimed,
        Self::Charged,
        Self::Settled,
        Self::PaymentPublished,
        Self::MailTaken,
        Self::MailRecorded,
        Self::MailPublished,
    ];

    /// Its name in `FAULT_CRASH`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BeforeHandler => "before-handler",
            Self::AfterHandler => "after-handler",
            Self::DeadLetterWritten => "dead-letter-written",
            Self::Claimed => "claimed",
            Self::Charged => "charged",
            Self::Settled => "settled",
            Self::PaymentPublished => "payment-published",
            Self::MailTaken => "mail-taken",
            Self::MailRecorded => "mail-recorded",
            Self::MailPublished => "mail-published",
        }
    }
}

/// A mistake that the suite must notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// Offsets are stored when records are taken up, not when they are settled.
    EarlyOffsets,
    /// Event ids are not looked at by the transaction that applies the event.
    ForgottenIds,
    /// Each attempt at the payment provider has a key of its own.
    FreshKeys,
}

impl Mistake {
    /// Every mistake.
    pub const ALL: [Self; 3] = [Self::EarlyOffsets, Self::ForgottenIds, Self::FreshKeys];

    /// Its name in `FAULT_MISTAKE`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EarlyOffsets => "early-offsets",
            Self::ForgottenIds => "forgotten-ids",
            Self::FreshKeys => "fresh-keys",
        }
    }
}

#[cfg(feature = "faults")]
mod told {
    use std::sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    };

    use super::{Mistake, Point};

    /// Where to die, and how often to pass there before.
    static CRASH: LazyLock<Option<(String, AtomicU64)>> = LazyLock::new(|| {
        let told = std::env::var("FAULT_CRASH").ok()?;
        let (name, times) = told.split_once(':')?;
        Some((name.to_owned(), AtomicU64::new(times.parse().ok()?)))
    });

    static MISTAKE: LazyLock<Option<String>> =
        LazyLock::new(|| std::env::var("FAULT_MISTAKE").ok());

    pub(super) fn point(point: Point) {
        if let Some((name, left)) = &*CRASH
            && name == point.name()
            && left.fetch_sub(1, Ordering::Relaxed) == 1
        {
            // As SIGKILL: nothing is flushed, nothing is dropped.
            std::process::abort();
        }
    }

    pub(super) fn makes(mistake: Mistake) -> bool {
        MISTAKE.as_deref() == Some(mistake.name())
    }
}
