//! How much memory there is for this process.

use std::fs;

/// The memory of the machine, or less if the process may have only part of it, in bytes; `None` where the
/// system does not say.
pub(crate) fn memory_bytes() -> Option<u64> {
    let of_machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total_of(&text));
    let of_group = fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let of_group = of_group.and_then(|text| text.trim().parse().ok());
    of_machine.into_iter().chain(of_group).min()
}

fn total_of(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_read_in_kibibytes() {
        let text = "MemFree:  7 kB\nMemTotal:       16311752 kB\nBuffers: 5 kB\n";
        assert_eq!(total_of(text), Some(16_311_752 * 1024));
        assert_eq!(total_of("MemTotal: many"), None);
    }
}
