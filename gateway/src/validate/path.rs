//! Where in a request a field stands.

use std::fmt::Write as _;

/// How a door spells field names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Naming {
    /// As in the `.proto` files: `user_id`.
    Proto,
    /// As in JSON: `userId`.
    Json,
}

/// A field's name at both doors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Name {
    /// As in the `.proto` files.
    pub(crate) proto: &'static str,
    /// As in JSON.
    pub(crate) json: &'static str,
}

impl Name {
    /// A field whose two spellings differ.
    pub(crate) const fn new(proto: &'static str, json: &'static str) -> Self {
        Self { proto, json }
    }

    /// A field of one word.
    pub(crate) const fn same(name: &'static str) -> Self {
        Self::new(name, name)
    }

    const fn at(self, naming: Naming) -> &'static str {
        match naming {
            Naming::Proto => self.proto,
            Naming::Json => self.json,
        }
    }
}

/// Characters of a name that only the caller knows. More would let a caller
/// fill the answer with one name.
const MAX_UNKNOWN_CHARS: usize = 64;

/// A path to a field. It borrows the path of what the field stands in, so that
/// it costs nothing until a rule is broken.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Path<'p> {
    /// The request itself.
    Root,
    /// A field of ours.
    Field(&'p Path<'p>, Name),
    /// A field that only the caller knows.
    Unknown(&'p Path<'p>, &'p str),
    /// One of a list, from 0.
    Item(&'p Path<'p>, usize),
}

impl<'p> Path<'p> {
    /// A field of ours within this.
    pub(crate) const fn field(&'p self, name: Name) -> Self {
        Self::Field(self, name)
    }

    /// A field within this that is none of ours.
    pub(crate) const fn unknown(&'p self, name: &'p str) -> Self {
        Self::Unknown(self, name)
    }

    /// One of a list, from 0.
    pub(crate) const fn item(&'p self, index: usize) -> Self {
        Self::Item(self, index)
    }

    /// The path as text, for instance `products[1].price`. The request itself
    /// is its `body`.
    pub(crate) fn render(self, naming: Naming) -> String {
        let mut text = String::new();
        self.write(naming, &mut text);
        if text.is_empty() {
            "body".to_owned()
        } else {
            text
        }
    }

    fn write(self, naming: Naming, text: &mut String) {
        let mut name = |parent: &Path<'_>, name: &mut dyn Iterator<Item = char>| {
            parent.write(naming, text);
            if !text.is_empty() {
                text.push('.');
            }
            text.extend(name);
        };
        match self {
            Self::Root => {}
            Self::Field(parent, field) => name(parent, &mut field.at(naming).chars()),
            Self::Unknown(parent, unknown) => {
                name(parent, &mut unknown.chars().take(MAX_UNKNOWN_CHARS));
            }
            Self::Item(parent, index) => {
                parent.write(naming, text);
                // Writing to a String cannot fail.
                let _ = write!(text, "[{index}]");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_every_step() {
        let products = Path::Root.field(Name::same("products"));
        assert_eq!(products.item(1).render(Naming::Json), "products[1]");
        assert_eq!(
            products.item(0).unknown("colour").render(Naming::Json),
            "products[0].colour"
        );
        assert_eq!(Path::Root.render(Naming::Json), "body");
    }

    #[test]
    fn a_callers_own_name_cannot_fill_the_answer() {
        let long = "x".repeat(10_000);
        assert_eq!(Path::Root.unknown(&long).render(Naming::Json).len(), 64);
    }
}
