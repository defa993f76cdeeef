//! A process and its descendants, as the system lists them.

use std::collections::HashMap;
use std::process::Command;

use anyhow::{Context, ensure};
use rustix::process::Pid;

/// The process `root` followed by its descendants, parents before children.
///
/// Asks `ps`, which POSIX promises everywhere, rather than a `/proc` that only
/// Linux has.
pub(super) fn of(root: Pid) -> anyhow::Result<Vec<Pid>> {
    let output = Command::new("ps")
        .args(["-A", "-o", "pid=", "-o", "ppid="])
        .output()
        .context("running ps to find the processes of a server")?;
    ensure!(output.status.success(), "ps failed: {}", output.status);
    Ok(descendants(&String::from_utf8_lossy(&output.stdout), root))
}

fn descendants(listing: &str, root: Pid) -> Vec<Pid> {
    let mut children: HashMap<Pid, Vec<Pid>> = HashMap::new();
    for line in listing.lines() {
        let mut columns = line.split_whitespace().map(pid);
        if let (Some(Some(child)), Some(Some(parent))) = (columns.next(), columns.next()) {
            children.entry(parent).or_default().push(child);
        }
    }
    let mut family = vec![root];
    let mut next = 0;
    while let Some(parent) = family.get(next) {
        if let Some(found) = children.remove(parent) {
            family.extend(found);
        }
        next += 1;
    }
    family
}

/// Reads a process id; 0 and below name no process.
pub(super) fn pid(text: &str) -> Option<Pid> {
    text.parse()
        .ok()
        .filter(|&raw: &i32| raw > 0)
        .and_then(Pid::from_raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn family(listing: &str, root: &str) -> Vec<i32> {
        descendants(listing, pid(root).unwrap())
            .into_iter()
            .map(|pid| pid.as_raw_nonzero().get())
            .collect()
    }

    #[test]
    fn a_family_is_the_root_its_children_and_theirs() {
        let listing = "    1     0\n  10  1\n 11 10\n 12 10\n 13 11\n 20 1\n";
        assert_eq!(family(listing, "10"), [10, 11, 12, 13]);
    }

    #[test]
    fn a_process_that_is_not_listed_is_its_own_family() {
        assert_eq!(family("1 0\n", "99"), [99]);
    }
}
