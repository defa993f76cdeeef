//! What a process has used, as Linux tells it.

use std::{fs, time::Duration};

use anyhow::Context as _;

/// CPU time of a process's threads so far. Counted in nanoseconds
/// (Documentation/scheduler/sched-stats.rst); `stat` has steps of 10 ms.
pub(crate) fn time(id: u32) -> anyhow::Result<Duration> {
    let mut nanos = 0;
    for thread in fs::read_dir(format!("/proc/{id}/task"))? {
        // A thread may end while it is looked for.
        let Ok(schedstat) = fs::read_to_string(thread?.path().join("schedstat")) else {
            continue;
        };
        let on_cpu = schedstat.split_whitespace().next().context("schedstat")?;
        nanos += on_cpu.parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanos))
}

/// CPU time of a process and of all that it started, also of those that have ended
/// (proc(5): `stat`, fields 4, 16 and 17).
pub(crate) fn time_with_children(id: u32) -> anyhow::Result<Duration> {
    /// A tick, in which `stat` counts (`USER_HZ` is 100 wherever Linux runs).
    const TICK: Duration = Duration::from_millis(10);
    let ended: u32 = stat(id, [16, 17])?.iter().sum();
    let mut time = time(id)? + TICK * ended;
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(child) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // It may have ended by now.
        if stat(child, [4]).is_ok_and(|[parent]| parent == id) {
            time += self::time(child).unwrap_or_default();
        }
    }
    Ok(time)
}

/// Some fields of a process's `stat`, counted from 1; those behind its name.
fn stat<const N: usize>(id: u32, fields: [usize; N]) -> anyhow::Result<[u32; N]> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
    let (_, behind_name) = stat.rsplit_once(") ").context("stat")?;
    let all: Vec<&str> = behind_name.split_whitespace().collect();
    let mut values = [0; N];
    for (value, field) in values.iter_mut().zip(fields) {
        *value = all.get(field - 3).context("stat")?.parse()?;
    }
    Ok(values)
}

/// Memory that a process holds now, and the most it held so far, in MB (proc(5):
/// `VmRSS`, `VmHWM`).
pub(crate) fn memory(id: u32) -> anyhow::Result<(f64, f64)> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let megabytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
        let kilobytes: f64 = kilobytes.context("status")?.trim().parse()?;
        anyhow::Ok(kilobytes / 1024.0)
    };
    Ok((megabytes("VmRSS:")?, megabytes("VmHWM:")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_children_used_counts_while_they_run_and_after() {
        let own = std::process::id();
        let before = time_with_children(own).unwrap();
        let busy = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done";
        let mut child = std::process::Command::new("sh")
            .args(["-c", busy])
            .spawn()
            .unwrap();
        let id = child.id();
        let mut of_child = Duration::ZERO;
        while of_child < Duration::from_millis(50) {
            of_child = time(id).unwrap();
        }
        assert!(time_with_children(own).unwrap() >= before + of_child);
        child.wait().unwrap();
        assert!(time_with_children(own).unwrap() >= before + of_child);
    }
}
