//! What a server printed, for messages about it.

use std::fs;
use std::path::Path;

/// Enough for a Java stack trace or PostgreSQL's reason for not starting.
const LINES: usize = 30;

/// "the end of its log, PATH:" and the last lines of the file.
pub(crate) fn quote(log: &Path) -> String {
    let path = log.display();
    match fs::read(log) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            let lines: Vec<_> = text.lines().collect();
            let tail = &lines[lines.len().saturating_sub(LINES)..];
            format!("the end of its log, {path}:\n{}", tail.join("\n"))
        }
        Err(error) => format!("its log, {path}, cannot be read: {error}"),
    }
}
