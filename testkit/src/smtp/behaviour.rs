//! How a sink misbehaves, and for how long.

use std::time::Duration;

/// Where in the conversation a [`Behaviour`] shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// In place of the greeting: the server is there and not willing.
    Greeting,
    /// In answer to RCPT: this recipient.
    Recipient,
    /// In answer to the end of DATA: this message.
    Message,
}

/// What the sink does with the next message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Behaviour {
    /// Takes it.
    #[default]
    Accept,
    /// Answers with this code at this stage and keeps nothing. 4xx asks the
    /// client to come again, 5xx not to; see [`refuse`](Self::refuse) and
    /// [`reject`](Self::reject).
    Answer {
        /// Where the answer is given.
        at: Stage,
        /// The reply code of RFC 5321.
        code: u16,
    },
    /// Stops answering at this stage and keeps nothing, until the client gives
    /// up and closes the connection.
    Hang {
        /// Where the silence begins.
        at: Stage,
    },
    /// Closes the connection after the end of DATA without an answer: the gap
    /// that leaves a client not knowing.
    Cut {
        /// Whether the message was taken before that.
        recorded: bool,
    },
    /// Takes it, this much later.
    Delay(Duration),
}

impl Behaviour {
    /// A temporary failure: 421 for a greeting, 451 otherwise.
    pub fn refuse(at: Stage) -> Self {
        let code = if at == Stage::Greeting { 421 } else { 451 };
        Self::Answer { at, code }
    }

    /// A permanent failure: 554 for a greeting, 550 otherwise.
    pub fn reject(at: Stage) -> Self {
        let code = if at == Stage::Greeting { 554 } else { 550 };
        Self::Answer { at, code }
    }

    fn stage(self) -> Option<Stage> {
        match self {
            Self::Accept => None,
            Self::Answer { at, .. } | Self::Hang { at } => Some(at),
            Self::Cut { .. } | Self::Delay(_) => Some(Stage::Message),
        }
    }
}

/// What is to happen from now on, and what has happened.
#[derive(Debug, Default)]
pub(super) struct Script {
    behaviour: Behaviour,
    /// How many more times; `None` is until further notice.
    left: Option<usize>,
    struck: usize,
}

impl Script {
    /// Behaves like this until told otherwise.
    pub(super) fn set(&mut self, behaviour: Behaviour) {
        self.behaviour = behaviour;
        self.left = None;
    }

    /// Behaves like this `times` times and then accepts again.
    pub(super) fn set_for(&mut self, times: usize, behaviour: Behaviour) {
        self.behaviour = behaviour;
        self.left = Some(times);
    }

    /// How often anything but acceptance was shown.
    pub(super) fn struck(&self) -> usize {
        self.struck
    }

    /// What to do at this stage; counts it as done.
    pub(super) fn next(&mut self, stage: Stage) -> Behaviour {
        if self.behaviour.stage() != Some(stage) || self.left == Some(0) {
            return Behaviour::Accept;
        }
        self.left = self.left.map(|left| left - 1);
        self.struck += 1;
        self.behaviour
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_behaviour_shows_at_its_own_stage_only() {
        let mut script = Script::default();
        let refuse = Behaviour::refuse(Stage::Recipient);
        script.set(refuse);
        assert_eq!(script.next(Stage::Greeting), Behaviour::Accept);
        assert_eq!(script.next(Stage::Recipient), refuse);
        assert_eq!(script.next(Stage::Message), Behaviour::Accept);
        assert_eq!(script.struck(), 1);
    }

    #[test]
    fn a_counted_behaviour_wears_off() {
        let mut script = Script::default();
        let cut = Behaviour::Cut { recorded: true };
        script.set_for(2, cut);
        let shown: Vec<_> = (0..3).map(|_| script.next(Stage::Message)).collect();
        assert_eq!(shown, [cut, cut, Behaviour::Accept]);
        assert_eq!(script.struck(), 2);
    }
}
