//! How much CPU time and memory processes use, as Linux tells it in `/proc`.

use std::fs;

use anyhow::{Context, Result};

/// The CPU time that each of the processes has used so far, in user and in system mode, in
/// microseconds. Exact to 10 ms.
///
/// # Errors
///
/// Fails when one of the processes is gone, and where there is no `/proc`.
pub(crate) fn cpu_us(processes: &[u32]) -> Result<Vec<f64>> {
    let used = |process: &u32| {
        let path = format!("/proc/{process}/stat");
        let stat = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        let ticks = ticks_in(&stat).with_context(|| format!("{path} has an unknown form"))?;
        Ok(f64::from(ticks) * US_PER_TICK)
    };
    processes.iter().map(used).collect()
}

/// Memory of one process, in KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Memory {
    pub(crate) now_kib: u32,
    /// The most since the process began.
    pub(crate) peak_kib: u32,
}

/// How much memory a process keeps resident.
///
/// # Errors
///
/// Fails when the process is gone, and where there is no `/proc`.
pub(crate) fn memory(process: u32) -> Result<Memory> {
    let path = format!("/proc/{process}/status");
    let status = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    memory_in(&status).with_context(|| format!("{path} has an unknown form"))
}

/// How many bytes a process has written to files so far; what it sent over the network is not among them.
///
/// # Errors
///
/// Fails when the process is gone, and where there is no `/proc`.
pub(crate) fn written_bytes(process: u32) -> Result<u64> {
    let path = format!("/proc/{process}/io");
    let io = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let written = io.lines().find_map(|line| line.strip_prefix("wchar:")?.trim().parse().ok());
    written.with_context(|| format!("{path} has an unknown form"))
}

/// Reads `utime` and `stime`, the 14th and 15th field. The second field is the program's name in
/// parentheses, which may contain spaces and parentheses of its own.
fn ticks_in(stat: &str) -> Option<u32> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(14 - 3);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    user.checked_add(system)
}

fn memory_in(status: &str) -> Option<Memory> {
    let field = |name: &str| {
        let value = status.lines().find_map(|line| line.strip_prefix(name))?;
        value.trim().strip_suffix("kB")?.trim().parse().ok()
    };
    Some(Memory { now_kib: field("VmRSS:")?, peak_kib: field("VmHWM:")? })
}

/// Linux tells times to user space in hundredths of a second, on every usual platform.
const US_PER_TICK: f64 = 10_000.0;

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn the_times_are_found_behind_any_program_name() {
        let stat = "42 (a) b (c)) S 1 42 42 0 -1 4194304 100 0 0 0 250 31 7 8 20 0 1 0 5 6";
        assert_eq!(ticks_in(stat), Some(281));
        assert_eq!(ticks_in("42 (a) S 1"), None);
        assert_eq!(ticks_in(""), None);
    }

    #[test]
    fn memory_is_what_is_resident_now_and_at_most() {
        let status = "Name:\tx\nVmPeak:\t 900000 kB\nVmHWM:\t    7340 kB\nVmRSS:\t    7000 kB\n";
        assert_eq!(memory_in(status), Some(Memory { now_kib: 7000, peak_kib: 7340 }));
        assert_eq!(memory_in("Name:\tx\n"), None);
        assert!(memory(std::process::id()).unwrap().now_kib > 0);
    }

    #[test]
    fn what_is_written_to_files_counts() {
        let before = written_bytes(std::process::id()).unwrap();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[7; 5000]).unwrap();
        assert!(written_bytes(std::process::id()).unwrap() >= before + 5000);
    }

    #[test]
    fn a_process_that_does_not_exist_is_an_error() {
        let error = cpu_us(&[u32::MAX]).unwrap_err().to_string();
        assert_eq!(error, "cannot read /proc/4294967295/stat");
        memory(u32::MAX).unwrap_err();
    }
}
