//! Descriptions as they stand in the document: paragraphs, and code in backticks.

use serde::Serialize;

/// A stretch of a paragraph.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) text: String,
    pub(super) code: bool,
}

pub(super) type Paragraph = Vec<Piece>;

/// Splits a description at its empty lines, and each paragraph at its backticks.
pub(super) fn paragraphs(description: &str) -> Vec<Paragraph> {
    description
        .split("\n\n")
        .map(|paragraph| paragraph.replace('\n', " "))
        .filter(|paragraph| !paragraph.trim().is_empty())
        .map(|paragraph| pieces(&paragraph))
        .collect()
}

/// One line of text.
pub(super) fn pieces(line: &str) -> Paragraph {
    line.split('`')
        .enumerate()
        .filter(|(_, text)| !text.is_empty())
        .map(|(index, text)| Piece {
            text: text.replace('\n', " "),
            code: index % 2 == 1,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backticks_mark_code_and_empty_lines_paragraphs() {
        let paragraphs = paragraphs("Send `a` or\n`b`.\n\nThen wait.");
        let texts: Vec<Vec<_>> = paragraphs
            .iter()
            .map(|pieces| {
                pieces
                    .iter()
                    .map(|piece| (&*piece.text, piece.code))
                    .collect()
            })
            .collect();
        assert_eq!(
            texts,
            [
                vec![
                    ("Send ", false),
                    ("a", true),
                    (" or ", false),
                    ("b", true),
                    (".", false)
                ],
                vec![("Then wait.", false)],
            ]
        );
    }
}
