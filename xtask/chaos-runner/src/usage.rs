//! What a process takes of the system: Linux tells that of every process.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// What a process takes at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Bytes in memory.
    pub(crate) memory: u64,
    /// Open files and sockets.
    pub(crate) descriptors: u64,
    pub(crate) threads: u64,
    /// As the node counts them itself.
    pub(crate) tasks: u64,
}

impl Usage {
    /// Of the process with this id.
    ///
    /// # Errors
    ///
    /// Fails if there is none.
    pub(crate) fn of(process: u32) -> Result<Self> {
        let status = fs::read_to_string(format!("/proc/{process}/status"))?;
        let field = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key));
            let word = line.and_then(|line| line.split_whitespace().next());
            word.and_then(|word| word.parse::<u64>().ok()).with_context(|| format!("no {key}"))
        };
        let descriptors = fs::read_dir(format!("/proc/{process}/fd"))?.count() as u64;
        let (memory, threads) = (field("VmRSS:")? << 10, field("Threads:")?);
        Ok(Self { memory, descriptors, threads, tasks: 0 })
    }
}

/// Asks a daemon at its admin socket for a metric without labels.
///
/// # Errors
///
/// Fails if it does not answer.
pub(crate) async fn metric(socket: &Path, name: &str) -> Result<u64> {
    let mut stream = UnixStream::connect(socket).await?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: node\r\nconnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let value = answer.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is a count")]
    value.map(|value| value as u64).with_context(|| format!("no metric {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_takes_memory_descriptors_and_threads() {
        let before = Usage::of(std::process::id()).unwrap();
        assert!(before.memory > 1 << 20 && before.descriptors >= 3 && before.threads >= 1);
        let files: Vec<_> = (0..50).map(|_| fs::File::open("/dev/null").unwrap()).collect();
        let after = Usage::of(std::process::id()).unwrap();
        assert!(after.descriptors >= before.descriptors + files.len() as u64 - 20);
    }
}
