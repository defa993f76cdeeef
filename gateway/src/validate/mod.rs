//! What a request must be like, said the same at both doors.
//!
//! Invariant: a request is either turned into a value that satisfies every
//! bound of its schema, or answered with every rule it breaks, each told once
//! and by the field's name as the caller's door spells it. Both doors make a
//! draft of what they were sent and hand it to the one validator, so they
//! cannot disagree.

mod event;
mod key;
pub(crate) mod names;
mod order;
mod path;

use std::{collections::HashSet, fmt::Display};

use chassis::error::{Error, Violation};

pub(crate) use event::{EventDraft, event};
pub(crate) use key::{IdempotencyKey, InvalidKey, key_in_header};
pub(crate) use order::{OrderDraft, ProductDraft, ValidOrder, order};
pub(crate) use path::{Name, Naming, Path};

#[cfg(test)]
pub(crate) use order::tests::keyboard_and_mouse;

/// Bytes of field names and descriptions that an answer holds at most. Over
/// gRPC they travel in a header, and clients bound those (8 KiB in grpc-java,
/// 16 KiB in hyper) after base64 has made them a third longer.
const fn room(naming: Naming) -> usize {
    match naming {
        Naming::Proto => 4 * 1024,
        Naming::Json => 64 * 1024,
    }
}

/// The broken rules of one request, being collected.
#[derive(Debug)]
pub(crate) struct Violations {
    naming: Naming,
    found: Vec<Violation>,
    fields: HashSet<String>,
    room: usize,
    more: bool,
    /// Whether the request itself is told: nothing within it says more.
    all: bool,
}

impl Violations {
    /// None yet, for a door that spells fields so.
    pub(crate) fn new(naming: Naming) -> Self {
        Self {
            naming,
            found: Vec::new(),
            fields: HashSet::new(),
            room: room(naming),
            more: false,
            all: false,
        }
    }

    /// Notes that a field breaks a rule. The first rule of a field is the one
    /// told, and a field within one that is already told says nothing new: a
    /// text where a list is wanted is one mistake, not also an empty list.
    pub(crate) fn add(&mut self, path: Path<'_>, description: impl Display) {
        if self.more || self.all {
            return;
        }
        self.all = matches!(path, Path::Root);
        let field = path.render(self.naming);
        if ancestors(&field).any(|known| self.fields.contains(known)) {
            return;
        }
        let description = description.to_string();
        let Some(room) = self.room.checked_sub(field.len() + description.len()) else {
            self.more = true;
            return;
        };
        self.room = room;
        self.fields.insert(field.clone());
        self.found.push(Violation::new(field, description));
    }

    /// The value, or its broken rule noted.
    pub(crate) fn check<T, E: Display>(
        &mut self,
        path: Path<'_>,
        result: Result<T, E>,
    ) -> Option<T> {
        result.map_err(|error| self.add(path, error)).ok()
    }

    /// The value of a field that must be there.
    pub(crate) fn required<T>(&mut self, path: Path<'_>, value: Option<T>) -> Option<T> {
        self.check(path, value.ok_or("is required"))
    }

    /// The value if no rule is broken, otherwise all of them.
    pub(crate) fn finish<T>(mut self, value: Option<T>) -> Result<T, Error> {
        if self.more {
            let rest = Violation::new("", "more fields are wrong; these are the first");
            self.found.push(rest);
        }
        match value {
            Some(value) if self.found.is_empty() => Ok(value),
            _ => Err(Error::invalid(self.found)),
        }
    }
}

/// A path and everything it lies within: `a[1].b`, `a[1]`, `a`.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| Some(&path[..path.rfind(['.', '['])?]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: Name = Name::new("some_list", "someList");
    const ITEM: Name = Name::new("an_item", "anItem");

    #[test]
    fn each_door_reads_its_own_names() {
        for (naming, expected) in [
            (Naming::Proto, "some_list[3].an_item"),
            (Naming::Json, "someList[3].anItem"),
        ] {
            let mut violations = Violations::new(naming);
            violations.add(Path::Root.field(LIST).item(3).field(ITEM), "is wrong");
            let error = violations.finish(Some(())).unwrap_err();
            assert_eq!(error.violations(), [Violation::new(expected, "is wrong")]);
        }
    }

    #[test]
    fn a_field_tells_its_first_broken_rule_and_covers_what_lies_within() {
        let mut violations = Violations::new(Naming::Json);
        violations.add(Path::Root.field(LIST).item(1), "must be an object");
        violations.add(Path::Root.field(LIST).item(1), "is required");
        violations.add(Path::Root.field(LIST).item(1).field(ITEM), "is required");
        violations.add(Path::Root.field(LIST).item(11), "must be an object");
        violations.add(Path::Root.field(ITEM), "is required");
        let error = violations.finish(Some(())).unwrap_err();
        let fields: Vec<_> = error
            .violations()
            .iter()
            .map(|v| v.field.as_str())
            .collect();
        assert_eq!(fields, ["someList[1]", "someList[11]", "anItem"]);
    }

    #[test]
    fn a_request_that_cannot_be_read_says_no_more_than_that() {
        let mut violations = Violations::new(Naming::Json);
        violations.add(Path::Root, "must be JSON");
        violations.add(Path::Root.field(ITEM), "is required");
        let error = violations.finish(None::<()>).unwrap_err();
        assert_eq!(error.violations(), [Violation::new("body", "must be JSON")]);
    }

    #[test]
    fn an_answer_stays_within_what_a_grpc_client_takes_as_a_header() {
        let mut violations = Violations::new(Naming::Proto);
        for index in 0..10_000 {
            violations.add(Path::Root.field(LIST).item(index), "must be something else");
        }
        let error = violations.finish(Some(())).unwrap_err();
        let size: usize = error
            .violations()
            .iter()
            .map(|v| v.field.len() + v.description.len())
            .sum();
        assert!(size < 5 * 1024, "{size}");
        let last = error.violations().last().unwrap();
        assert!(last.description.starts_with("more fields are wrong"));
    }
}
