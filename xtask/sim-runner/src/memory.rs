//! How much memory this process has, as the system counts it.

/// Of one process, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Memory {
    /// What it holds now.
    pub(crate) resident: u64,
    /// The most that it ever held.
    pub(crate) peak: u64,
}

/// Asks the system, if that is one that tells.
pub(crate) fn measure() -> Option<Memory> {
    read(&std::fs::read_to_string("/proc/self/status").ok()?)
}

fn read(status: &str) -> Option<Memory> {
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        let kibibytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
        Some(kibibytes * 1024)
    };
    Some(Memory { resident: field("VmRSS:")?, peak: field("VmHWM:")? })
}

#[cfg(test)]
mod tests {
    use super::{Memory, measure, read};

    #[test]
    fn what_the_system_says_is_read_in_bytes() {
        let status = "Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
        assert_eq!(read(status), Some(Memory { resident: 1 << 20, peak: 2 << 20 }));
        assert_eq!(read("VmRSS:\t    1024 kB\n"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_process_has_some_memory_and_never_more_than_its_peak() {
        let memory = measure().unwrap();
        assert!(0 < memory.resident && memory.resident <= memory.peak, "{memory:?}");
    }
}
