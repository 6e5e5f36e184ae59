//! What a process has used (proc(5)).

use std::fs;

use anyhow::{Context, Result};

/// Seconds of the processor, of all its threads that still live.
pub(crate) fn cpu(pid: u32) -> Result<f64> {
    let mut nanoseconds = 0.0;
    for thread in fs::read_dir(format!("/proc/{pid}/task")).context("the process is gone")? {
        let text = fs::read_to_string(thread?.path().join("schedstat"))?;
        let used: f64 = text.split(' ').next().unwrap_or_default().parse().context("schedstat")?;
        nanoseconds += used;
    }
    Ok(nanoseconds / 1e9)
}

/// Resident memory in bytes.
pub(crate) fn memory(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("the process is gone")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().context("VmRSS")?;
    Ok(kibibytes * 1024)
}
