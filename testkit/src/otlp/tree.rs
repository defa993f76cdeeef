//! A trace as an indented tree, for messages and for people.
//!
//! Invariant: every span of the trace appears exactly once, whatever its
//! parent ids say, so nothing is hidden by a broken trace.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use super::span::{Span, Status};

/// One line a span: name, service, kind and duration, children indented below
/// their parents in the order of their starts. A span whose parent is not
/// among `spans` is an orphan, and is marked.
pub(super) fn render(spans: &[Span]) -> String {
    let mut ordered: Vec<_> = spans.iter().collect();
    ordered.sort_by_key(|span| (span.start_ns, &span.span_id));

    let known: HashSet<_> = ordered.iter().map(|span| span.span_id.as_str()).collect();
    let mut children: HashMap<&str, Vec<&Span>> = HashMap::new();
    for span in &ordered {
        let parent = span.parent_span_id.as_str();
        children.entry(parent).or_default().push(span);
    }

    let mut tree = Tree {
        children,
        text: String::new(),
    };
    tree.branch("", 0, "");
    for span in &ordered {
        if !known.contains(span.parent_span_id.as_str()) {
            let parent = &span.parent_span_id;
            tree.branch(
                parent,
                0,
                &format!("  ORPHAN, its parent {parent} is missing"),
            );
        }
    }
    // What is left is its own ancestor.
    for span in &ordered {
        tree.branch(&span.parent_span_id, 0, "  CYCLE, it is its own ancestor");
    }
    tree.text
}

struct Tree<'a> {
    /// Not yet written, by their parents' ids.
    children: HashMap<&'a str, Vec<&'a Span>>,
    text: String,
}

impl Tree<'_> {
    /// Writes the children of `parent`, and theirs; taking them out of the map
    /// is what ends a cycle.
    fn branch(&mut self, parent: &str, depth: usize, mark: &str) {
        for span in self.children.remove(parent).unwrap_or_default() {
            self.line(span, depth, mark);
            self.branch(&span.span_id, depth + 1, "");
        }
    }

    fn line(&mut self, span: &Span, depth: usize, mark: &str) {
        let indent = "  ".repeat(depth);
        let (name, service, kind) = (&span.name, &span.service, span.kind.name());
        let duration = span.duration();
        let error = match span.status {
            Status::Error => format!("  ERROR {}", span.status_message),
            Status::Ok | Status::Unset => String::new(),
        };
        let links = match span.links.len() {
            0 => String::new(),
            count => format!("  links: {count}"),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            self.text,
            "{indent}{name}  [{service}, {kind}, {duration:.1?}]{links}{error}{mark}"
        );
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::span::Kind;
    use super::*;

    fn span(id: &str, parent: &str, start_ms: u64) -> Span {
        Span {
            trace_id: "t".to_owned(),
            span_id: id.to_owned(),
            parent_span_id: parent.to_owned(),
            name: format!("span {id}"),
            kind: Kind::Server,
            service: "gateway".to_owned(),
            attributes: BTreeMap::new(),
            links: Vec::new(),
            status: Status::Unset,
            status_message: String::new(),
            start_ns: start_ms * 1_000_000,
            end_ns: (start_ms + 2) * 1_000_000,
        }
    }

    #[test]
    fn children_stand_below_their_parents_by_their_starts() {
        let spans = [
            span("c", "a", 30),
            span("d", "b", 25),
            span("b", "a", 20),
            span("a", "", 10),
        ];
        assert_eq!(
            render(&spans),
            "span a  [gateway, SERVER, 2.0ms]\n  \
               span b  [gateway, SERVER, 2.0ms]\n    \
                 span d  [gateway, SERVER, 2.0ms]\n  \
               span c  [gateway, SERVER, 2.0ms]\n"
        );
    }

    #[test]
    fn orphans_are_marked_and_keep_their_children() {
        let spans = [span("a", "", 1), span("c", "b", 2), span("d", "c", 3)];
        assert_eq!(
            render(&spans),
            "span a  [gateway, SERVER, 2.0ms]\n\
             span c  [gateway, SERVER, 2.0ms]  ORPHAN, its parent b is missing\n  \
               span d  [gateway, SERVER, 2.0ms]\n"
        );
    }

    #[test]
    fn a_cycle_is_shown_and_ends() {
        let text = render(&[span("a", "b", 1), span("b", "a", 2)]);
        assert_eq!(text.lines().count(), 2);
        assert!(text.contains("CYCLE"), "{text}");
    }

    #[test]
    fn errors_tell_their_message() {
        let mut failed = span("a", "", 1);
        failed.status = Status::Error;
        failed.status_message = "no broker".to_owned();
        assert_eq!(
            render(&[failed]),
            "span a  [gateway, SERVER, 2.0ms]  ERROR no broker\n"
        );
    }
}
