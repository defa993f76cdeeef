//! What is drawn: the newest documents, and whether they still are the newest.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::{
    follow::News,
    model::{Model, Text},
};

/// Everything that drawing needs to know.
#[derive(Debug)]
pub(super) struct View {
    /// Whose feed this is.
    pub(super) address: String,
    pub(super) model: Model,
    pub(super) link: Link,
    /// Whether the picture is held: news are taken in, and not shown.
    pub(super) is_held: bool,
    /// Now, for what is told in relation to it.
    pub(super) now: Timestamp,
    pub(super) has_colours: bool,
}

/// The connection to the gateway.
#[derive(Debug)]
pub(super) enum Link {
    Connecting,
    Live,
    /// Lost since then; there will be another attempt.
    Lost {
        since: Instant,
        why: Text,
        again_in: Duration,
    },
}

impl View {
    pub(super) fn new(address: String, has_colours: bool) -> Self {
        Self {
            address,
            model: Model::default(),
            link: Link::Connecting,
            is_held: false,
            now: Timestamp::now(),
            has_colours,
        }
    }

    /// Takes news in; true when a document came.
    pub(super) fn learn(&mut self, news: News) -> bool {
        match news {
            News::Live => self.link = Link::Live,
            News::Lost { why, again_in } => {
                let since = match self.link {
                    Link::Lost { since, .. } => since,
                    Link::Connecting | Link::Live => Instant::now(),
                };
                self.link = Link::Lost {
                    since,
                    why,
                    again_in,
                };
            }
            News::Event(event) => match self.model.learn(&event.name, &event.data) {
                Ok(is_document) => return is_document,
                Err(_) => {
                    self.link = Link::Lost {
                        since: Instant::now(),
                        why: Text::clean("the gateway tells what this version cannot read"),
                        again_in: Duration::ZERO,
                    };
                }
            },
        }
        false
    }

    /// Whether what is shown may be over.
    pub(super) fn is_stale(&self) -> bool {
        matches!(self.link, Link::Lost { .. })
    }
}
