//! Reading JSON so that everything wrong with it can be told at once.
//!
//! Invariant: a well-formed text is never refused while it is being parsed.
//! serde's own derived readers stop at the first field of a wrong type, and
//! keep the last of two fields of one name; here the text becomes a tree that
//! keeps all of it, and [`Object`] then takes out what it knows, telling of
//! every field that is of a wrong type, doubled, or none of ours.

mod object;
mod tree;

pub(crate) use object::Object;
pub(crate) use tree::Json;

use crate::validate::{Path, Violations};

/// Reads a body as one JSON object; absent when it is none, which is then told.
pub(crate) fn object<'de>(
    body: &'de [u8],
    violations: &mut Violations,
) -> Option<Object<'static, 'de>> {
    let Ok(text) = std::str::from_utf8(body) else {
        violations.add(Path::Root, "must be UTF-8");
        return None;
    };
    // serde_json bounds the depth at 128.
    match serde_json::from_str::<Json<'de>>(text) {
        Ok(json) => Object::open(json, &Path::Root, violations),
        Err(error) => {
            violations.add(Path::Root, format_args!("must be JSON: {error}"));
            None
        }
    }
}
