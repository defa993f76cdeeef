//! What a sink has received and how it is to behave: the part that tests and
//! connections share.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use tokio::sync::watch;

use super::behaviour::{Behaviour, Script, Stage};
use super::mail::Mail;
use crate::sync::lock;

#[derive(Debug)]
pub(super) struct Inbox {
    mails: Mutex<Mails>,
    script: Mutex<Script>,
    count: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Mails {
    all: Vec<Arc<Mail>>,
    /// Positions in `all`, for those that have a Message-ID.
    by_message_id: HashMap<String, Vec<usize>>,
}

impl Inbox {
    pub(super) fn new() -> Self {
        Self {
            mails: Mutex::default(),
            script: Mutex::default(),
            count: watch::Sender::new(0),
        }
    }

    pub(super) fn take(&self, mail: Mail) {
        let mut mails = lock(&self.mails);
        if let Some(id) = &mail.message_id {
            let position = mails.all.len();
            let positions = mails.by_message_id.entry(id.clone()).or_default();
            positions.push(position);
        }
        mails.all.push(Arc::new(mail));
        self.count.send_replace(mails.all.len());
    }

    pub(super) fn all(&self) -> Vec<Arc<Mail>> {
        lock(&self.mails).all.clone()
    }

    pub(super) fn clear(&self) {
        let mut mails = lock(&self.mails);
        *mails = Mails::default();
        self.count.send_replace(0);
    }

    pub(super) fn with_message_id(&self, id: &str) -> Vec<Arc<Mail>> {
        let mails = lock(&self.mails);
        let positions = mails.by_message_id.get(id).map_or(&[][..], Vec::as_slice);
        positions
            .iter()
            .filter_map(|&position| mails.all.get(position).cloned())
            .collect()
    }

    pub(super) fn message_ids(&self) -> BTreeMap<String, usize> {
        lock(&self.mails)
            .by_message_id
            .iter()
            .map(|(id, positions)| (id.clone(), positions.len()))
            .collect()
    }

    /// How many messages there are, and news of it.
    pub(super) fn count(&self) -> watch::Receiver<usize> {
        self.count.subscribe()
    }

    /// What to do at this stage.
    pub(super) fn next(&self, stage: Stage) -> Behaviour {
        lock(&self.script).next(stage)
    }

    pub(super) fn script<T>(&self, change: impl FnOnce(&mut Script) -> T) -> T {
        change(&mut lock(&self.script))
    }
}
