//! A large file: from disk to disk, over another node, with its hash.

use std::path::Path;

use amop_sdk::FileReceiver;
use tokio::task::block_in_place;

use super::report::{Seen, Verdict};
use super::scene::Scene;
use crate::clock;
use crate::text::{hex, size, span};

/// A file is complete and right at its receiver when its sender is done, and moves once.
pub(super) async fn file(scene: &Scene) -> Verdict {
    let topic = "reports";
    let [_, desk, _] = &scene.desks;
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let (path, inbox) = (dir.path().join("report.bin"), dir.path().join("inbox"));
    std::fs::create_dir(&inbox).map_err(|error| error.to_string())?;
    block_in_place(|| write(&path)).map_err(|error| error.to_string())?;
    let receiving = desk.receive_files(topic, &inbox).propagated().await;
    let mut files = receiving.map_err(|e| format!("{} cannot receive: {e}", desk.name()))?;

    let begin = clock::moment();
    let sending = async {
        let sent = scene.teller.send_file(topic, &path).await;
        sent.map_err(|error| format!("it is not sent: {error}"))
    };
    let (sent, received) = tokio::try_join!(sending, receive(&mut files))?;
    let took = begin.elapsed();
    if received != sent.sha256 {
        return Err("another file came than was sent".to_owned());
    }
    let arrived = inbox.join("report.bin");
    if !block_in_place(|| is_same(&path, &arrived)).map_err(|error| error.to_string())? {
        return Err("what lies there is not what was sent".to_owned());
    }
    let hash = hex(&sent.sha256);
    let bytes = usize::try_from(sent.size).map_err(|error| error.to_string())?;
    Ok(Seen::new(format!("{} to `{topic}` at {} in {}", size(bytes), desk.name(), span(took)))
        .and(format!("the same at both ends, sha256 {}…", &hash[..16]))
        .number("bytes", sent.size)
        .number("moved_bytes", sent.moved_bytes)
        .number("sha256", hash))
}

async fn receive(files: &mut FileReceiver) -> Result<[u8; 32], String> {
    let incoming = files.next().await.ok_or("the receiver has ended")?;
    let sha256 = *incoming.sha256();
    incoming.done().await.map_err(|error| format!("it is not received: {error}"))?;
    Ok(sha256)
}

/// Writes a file whose content repeats nowhere.
fn write(path: &Path) -> std::io::Result<()> {
    let content: Vec<u8> = (0..FILE_BYTES / 4).flat_map(u32::to_le_bytes).collect();
    std::fs::write(path, content)
}

fn is_same(one: &Path, other: &Path) -> std::io::Result<bool> {
    Ok(std::fs::read(one)? == std::fs::read(other)?)
}

const FILE_BYTES: u32 = 64 << 20;
