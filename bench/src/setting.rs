//! When it was measured, of what, and on which machine.

use std::{fs, process::Command};

/// What a commit is followed by when there is more than it holds.
pub(crate) const CHANGED: &str = " with changes";

/// One line for above a table.
pub(crate) fn describe() -> String {
    let date = jiff::Timestamp::now().strftime("%Y-%m-%d");
    format!("{date}, {}", place())
}

/// What is measured, and where.
pub(crate) fn place() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = field(&cpus, "model name").unwrap_or("processor unknown");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory = field(&memory, "MemTotal")
        .and_then(|size| size.strip_suffix(" kB")?.parse::<u64>().ok())
        .map_or(0, |kilobytes| kilobytes.div_ceil(1024 * 1024));
    format!(
        "commit {}, {cores} cores ({model}), {memory} GB",
        commit().unwrap_or_else(|| "unknown".to_owned()),
    )
}

/// A field of what Linux tells, a line each (proc(5)).
fn field<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim())
}

fn commit() -> Option<String> {
    let commit = git(&["rev-parse", "--short", "HEAD"])?;
    let changes = git(&["status", "--porcelain", "--untracked-files=no"])?;
    Some(if changes.is_empty() {
        commit
    } else {
        commit + CHANGED
    })
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = output.status.success().then_some(output.stdout)?;
    Some(String::from_utf8(text).ok()?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_their_names() {
        let text = "processor\t: 0\nmodel name\t: Fast: One\nmodel name\t: Fast: Two\n";
        assert_eq!(field(text, "model name"), Some("Fast: One"));
        assert_eq!(field(text, "MemTotal"), None);
    }
}
