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
