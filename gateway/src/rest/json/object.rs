//! Taking known fields out of a JSON object.

use std::borrow::Cow;

use super::Json;
use crate::validate::{Name, Path, Violations};

/// An object that is being read. Take every known field, then [`close`] it.
///
/// [`close`]: Object::close
#[derive(Debug)]
pub(crate) struct Object<'p, 'de> {
    path: &'p Path<'p>,
    fields: Vec<(Cow<'de, str>, Json<'de>)>,
    known: Vec<Name>,
}

impl<'p, 'de> Object<'p, 'de> {
    /// A value that has to be an object.
    pub(crate) fn open(
        json: Json<'de>,
        path: &'p Path<'p>,
        violations: &mut Violations,
    ) -> Option<Self> {
        match json {
            Json::Object(fields) => Some(Self {
                path,
                fields,
                known: Vec::new(),
            }),
            other => {
                violations.add(
                    *path,
                    format_args!("must be an object, not {}", other.kind()),
                );
                None
            }
        }
    }

    /// A field's value; `null` is as good as absent (as in protobuf's JSON).
    fn take(&mut self, name: Name, violations: &mut Violations) -> Option<Json<'de>> {
        self.known.push(name);
        let mut found = self.fields.extract_if(.., |(field, _)| field == name.json);
        let value = found.next().map(|(_, value)| value);
        if found.count() > 0 {
            violations.add(self.path.field(name), "is given more than once");
            return None;
        }
        value.filter(|value| *value != Json::Null)
    }

    /// A whole number, or one in decimal digits as a text, as protobuf's JSON
    /// writes 64-bit numbers.
    pub(crate) fn integer(&mut self, name: Name, violations: &mut Violations) -> Option<i64> {
        let value = self.take(name, violations)?;
        let number = match &value {
            Json::Integer(number) => Some(*number),
            Json::Text(text) => decimal(text),
            _ => None,
        };
        if number.is_none() {
            violations.add(
                self.path.field(name),
                "must be a whole number, or one in decimal digits as a text",
            );
        }
        number
    }

    /// A text.
    pub(crate) fn text(
        &mut self,
        name: Name,
        violations: &mut Violations,
    ) -> Option<Cow<'de, str>> {
        match self.take(name, violations)? {
            Json::Text(text) => Some(text),
            other => {
                let rule = format_args!("must be a text, not {}", other.kind());
                violations.add(self.path.field(name), rule);
                None
            }
        }
    }

    /// A truth value.
    pub(crate) fn flag(&mut self, name: Name, violations: &mut Violations) -> Option<bool> {
        match self.take(name, violations)? {
            Json::Bool(flag) => Some(flag),
            other => {
                let rule = format_args!("must be true or false, not {}", other.kind());
                violations.add(self.path.field(name), rule);
                None
            }
        }
    }

    /// A list of texts. What is no text is told and left out.
    pub(crate) fn texts(
        &mut self,
        name: Name,
        violations: &mut Violations,
    ) -> Option<Vec<(usize, Cow<'de, str>)>> {
        let path = self.path.field(name);
        let items = match self.take(name, violations)? {
            Json::List(items) => items,
            other => {
                violations.add(path, format_args!("must be a list, not {}", other.kind()));
                return None;
            }
        };
        let texts = items
            .into_iter()
            .enumerate()
            .filter_map(|(index, item)| match item {
                Json::Text(text) => Some((index, text)),
                other => {
                    let rule = format_args!("must be a text, not {}", other.kind());
                    violations.add(path.item(index), rule);
                    None
                }
            });
        Some(texts.collect())
    }

    /// A list of objects, each read with its path. One that is no object gives
    /// the default: what is wrong with it is told already.
    pub(crate) fn objects<T: Default>(
        &mut self,
        name: Name,
        violations: &mut Violations,
        mut read: impl FnMut(&mut Object<'_, 'de>, &mut Violations) -> T,
    ) -> Vec<T> {
        let path = self.path.field(name);
        let items = match self.take(name, violations) {
            None => return Vec::new(),
            Some(Json::List(items)) => items,
            Some(other) => {
                violations.add(path, format_args!("must be a list, not {}", other.kind()));
                return Vec::new();
            }
        };
        let read_item = |(index, item)| {
            let path = path.item(index);
            let Some(mut object) = Object::open(item, &path, violations) else {
                return T::default();
            };
            let value = read(&mut object, violations);
            object.close(violations);
            value
        };
        items.into_iter().enumerate().map(read_item).collect()
    }

    /// Tells of every field that was not taken.
    pub(crate) fn close(self, violations: &mut Violations) {
        for (field, _) in &self.fields {
            let path = self.path.unknown(field);
            match self.known.iter().find(|name| likens(name.json, field)) {
                Some(near) => {
                    violations.add(
                        path,
                        format_args!("is unknown; did you mean {}?", near.json),
                    );
                }
                None => violations.add(path, "is unknown"),
            }
        }
    }
}

/// A whole number in decimal digits: what JSON's grammar allows for one, so no
/// plus sign, space or leading zero. Beyond 64 bits it is at the end of their
/// range, as in [`Json::Integer`].
fn decimal(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number || (digits.len() > 1 && digits.starts_with('0')) {
        return None;
    }
    let beyond = if digits.len() < text.len() {
        i64::MIN
    } else {
        i64::MAX
    };
    Some(text.parse().unwrap_or(beyond))
}

/// Whether two names differ only in case and underscores: `user_id` is how the
/// other door spells `userId`.
fn likens(name: &str, other: &str) -> bool {
    let plain = |text: &'_ str| -> Vec<u8> {
        text.bytes()
            .filter(|byte| *byte != b'_')
            .map(|byte| byte.to_ascii_lowercase())
            .collect()
    };
    // No name of ours is longer, and a caller's may be as long as a body.
    other.len() <= 64 && plain(name) == plain(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_texts_follow_the_grammar_of_json() {
        for (text, number) in [
            ("0", 0),
            ("42", 42),
            ("-7", -7),
            ("9223372036854775807", i64::MAX),
            ("99999999999999999999", i64::MAX),
            ("-99999999999999999999", i64::MIN),
        ] {
            assert_eq!(decimal(text), Some(number), "{text}");
        }
        for wrong in ["", "-", "+1", " 1", "1 ", "01", "1.0", "1e3", "0x1", "١"] {
            assert_eq!(decimal(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn the_other_doors_spelling_is_recognised() {
        assert!(likens("userId", "user_id") && likens("userId", "UserID"));
        assert!(!likens("userId", "userIds"));
    }
}
