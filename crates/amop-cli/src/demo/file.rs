//! Large files: from disk to disk, over another node, with their hash; and one that is cut and resumed.

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
    block_in_place(|| write(&path, FILE_BYTES)).map_err(|error| error.to_string())?;
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

/// A file that is cut off on its way goes on where it was when it is sent again.
pub(super) async fn resumed(scene: &Scene) -> Verdict {
    let topic = "contracts";
    let [_, _, desk] = &scene.desks;
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let (path, inbox) = (dir.path().join("contract.bin"), dir.path().join("inbox"));
    std::fs::create_dir(&inbox).map_err(|error| error.to_string())?;
    block_in_place(|| write(&path, CUT_FILE_BYTES)).map_err(|error| error.to_string())?;
    let receiving = desk.receive_files(topic, &inbox).propagated().await;
    let mut files = receiving.map_err(|e| format!("{} cannot receive: {e}", desk.name()))?;

    let send = scene.teller.send_file(topic, &path).limit(CUT_BYTES_PER_SECOND).start();
    let sending = send.await.map_err(|error| format!("it is not sent: {error}"))?;
    let mut incoming = files.next().await.ok_or("the receiver has ended")?;
    while incoming.next_progress().await.ok_or("it ended too early")?.received < CUT_AT_BYTES {}
    drop(sending); // What is there stays.
    if incoming.done().await.is_ok() || inbox.join("contract.bin").exists() {
        return Err("a file that was cut off is visible".to_owned());
    }

    let sending = async {
        let not_sent = |error| format!("it is not sent again: {error}");
        let mut sending = scene.teller.send_file(topic, &path).start().await.map_err(not_sent)?;
        let mut resumed = 0;
        while let Some(progress) = sending.next_progress().await {
            resumed = progress.resumed;
        }
        Ok((sending.done().await.map_err(not_sent)?, resumed))
    };
    let ((sent, resumed), received) = tokio::try_join!(sending, receive(&mut files))?;
    if received != sent.sha256 || sent.moved_bytes + CUT_AT_BYTES / 2 > sent.size {
        return Err(format!("{} of {} bytes were sent again", sent.moved_bytes, sent.size));
    }
    let shown = |bytes: u64| usize::try_from(bytes).map(size).map_err(|error| error.to_string());
    let (all, moved) = (shown(sent.size)?, shown(sent.moved_bytes)?);
    let percent = resumed * 100 / sent.size;
    let name = desk.name();
    Ok(Seen::new(format!("{all} to `{topic}` at {name}, cut off on its way and sent again"))
        .and(format!("resuming at {percent} %: {moved} were moved; nothing was to be seen before"))
        .number("bytes", sent.size)
        .number("resumed_bytes", resumed)
        .number("moved_bytes", sent.moved_bytes))
}

async fn receive(files: &mut FileReceiver) -> Result<[u8; 32], String> {
    let incoming = files.next().await.ok_or("the receiver has ended")?;
    let sha256 = *incoming.sha256();
    incoming.done().await.map_err(|error| format!("it is not received: {error}"))?;
    Ok(sha256)
}

/// Writes a file whose content repeats nowhere.
fn write(path: &Path, bytes: u32) -> std::io::Result<()> {
    let content: Vec<u8> = (0..bytes / 4).flat_map(u32::to_le_bytes).collect();
    std::fs::write(path, content)
}

fn is_same(one: &Path, other: &Path) -> std::io::Result<bool> {
    Ok(std::fs::read(one)? == std::fs::read(other)?)
}

const FILE_BYTES: u32 = 64 << 20;

/// A file that is to be cut off: how long it is, how fast it goes, and when that is done.
const CUT_FILE_BYTES: u32 = 24 << 20;
const CUT_BYTES_PER_SECOND: u64 = 48 << 20;
const CUT_AT_BYTES: u64 = 8 << 20;
