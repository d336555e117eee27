//! How much CPU time processes have used, as Linux tells it in `/proc`.

use anyhow::{Context, Result};
use std::fs;

/// The CPU time that all of the processes have used so far, in user and in system mode, in
/// microseconds. Exact to 10 ms for each process.
///
/// # Errors
///
/// Fails when one of the processes is gone, and where there is no `/proc`.
pub(crate) fn used_us(processes: &[u32]) -> Result<f64> {
    let mut ticks = 0;
    for process in processes {
        let path = format!("/proc/{process}/stat");
        let stat = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        ticks += ticks_in(&stat).with_context(|| format!("{path} has an unknown form"))?;
    }
    Ok(f64::from(ticks) * US_PER_TICK)
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

/// Linux tells times to user space in hundredths of a second, on every usual platform.
const US_PER_TICK: f64 = 10_000.0;

#[cfg(test)]
mod tests {
    use super::{ticks_in, used_us};

    #[test]
    fn the_times_are_found_behind_any_program_name() {
        let stat = "42 (a) b (c)) S 1 42 42 0 -1 4194304 100 0 0 0 250 31 7 8 20 0 1 0 5 6";
        assert_eq!(ticks_in(stat), Some(281));
        assert_eq!(ticks_in("42 (a) S 1"), None);
        assert_eq!(ticks_in(""), None);
    }

    #[test]
    fn a_process_that_does_not_exist_is_an_error() {
        let error = used_us(&[u32::MAX]).unwrap_err().to_string();
        assert_eq!(error, "cannot read /proc/4294967295/stat");
    }
}
