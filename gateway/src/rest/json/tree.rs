//! JSON as it was written.

use std::{borrow::Cow, fmt};

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// A JSON value that keeps the order and the doubles of its fields, and borrows
/// its texts where it can.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Json<'de> {
    Null,
    Bool(bool),
    /// A whole number; one beyond 64 bits is at the end of their range, and so
    /// outside of every bound of ours.
    Integer(i64),
    /// A number with a fraction or an exponent.
    Fraction,
    Text(Cow<'de, str>),
    List(Vec<Json<'de>>),
    Object(Vec<(Cow<'de, str>, Json<'de>)>),
}

impl Json<'_> {
    /// What it is, in words.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a truth value",
            Self::Integer(_) => "a number",
            Self::Fraction => "a number with a fraction",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }
}

impl<'de> Deserialize<'de> for Json<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Tree)
    }
}

struct Tree;

impl<'de> Visitor<'de> for Tree {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(flag))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Json<'de>, E> {
        Ok(Json::Integer(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Json<'de>, E> {
        Ok(Json::Integer(i64::try_from(number).unwrap_or(i64::MAX)))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Json<'de>, E> {
        // 2^63: from here on, serde_json gives whole numbers as floats too. None
        // of these floats has a fraction.
        const BEYOND: f64 = 9_223_372_036_854_775_808.0;
        Ok(if number >= BEYOND {
            Json::Integer(i64::MAX)
        } else if number <= -BEYOND {
            Json::Integer(i64::MIN)
        } else {
            Json::Fraction
        })
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json<'de>, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json<'de>, A::Error> {
        let mut object = Vec::new();
        while let Some((Key(name), value)) = entries.next_entry()? {
            object.push((name, value));
        }
        Ok(Json::Object(object))
    }
}

/// A field's name. `Cow` itself never borrows when it is deserialized.
struct Key<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;

        impl<'de> Visitor<'de> for Name {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a field's name")
            }

            fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(name)))
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(name.to_owned())))
            }
        }

        deserializer.deserialize_str(Name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Json<'_> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn doubled_fields_are_kept() {
        let Json::Object(fields) = parse(r#"{"a":1,"b":null,"a":2}"#) else {
            panic!("an object");
        };
        let names: Vec<_> = fields.iter().map(|(name, _)| name.as_ref()).collect();
        assert_eq!(names, ["a", "b", "a"]);
    }

    #[test]
    fn whole_numbers_of_any_size_are_whole_numbers() {
        for (text, number) in [
            ("9007199254740993", 9_007_199_254_740_993),
            ("-1", -1),
            ("9223372036854775808", i64::MAX),
            ("18446744073709551616", i64::MAX),
            ("-9223372036854775809", i64::MIN),
            ("99999999999999999999999999999999", i64::MAX),
        ] {
            let json = parse(text);
            assert_eq!(json, Json::Integer(number), "{text}");
        }
    }

    #[test]
    fn what_could_have_been_rounded_is_no_whole_number() {
        for text in ["1.5", "1.0", "1e3", "-0.0", "9007199254740993.0"] {
            assert_eq!(parse(text), Json::Fraction, "{text}");
        }
    }

    #[test]
    fn plain_texts_are_borrowed() {
        let Json::Text(Cow::Borrowed("plain")) = parse(r#""plain""#) else {
            panic!("borrowed");
        };
        assert_eq!(parse(r#""\u0041""#), Json::Text("A".into()));
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = "[".repeat(10_000);
        assert!(serde_json::from_str::<Json<'_>>(&deep).is_err());
    }
}
