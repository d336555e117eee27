//! Files between clients at real nodes.

use std::path::{Path, PathBuf};

use amop_sdk::{
    Client, Code, FileReceiver, FileSent, FolderSettings, Overwrite, Reason, ReceiveFileError,
    SendFileError,
};
use tempfile::TempDir;

use super::routes::Net;
use super::support::{pair, within};

pub(crate) const CHUNK: usize = 2 << 20;

/// FILE-1, FILE-9, FILE-10
#[tokio::test(flavor = "multi_thread")]
async fn files_of_every_ordinary_size_arrive_as_they_were_sent() {
    let (_node, receiver, sender) = pair().await;
    let disk = Disk::new();
    let mut files = receive(&receiver, &disk).await;
    for size in [0, 1, CHUNK, CHUNK + 1] {
        let path = disk.file(&format!("{size}.bin"), size);
        let sent = send(&sender, &path).await.unwrap();
        assert_eq!(sent.size, size as u64);
        assert!(sent.moved_bytes >= sent.size, "nothing of it was there");
        let incoming = within(files.next()).await.unwrap();
        assert_eq!(incoming.name(), format!("{size}.bin"));
        assert_eq!(incoming.from(), sender.name());
        assert_eq!(*incoming.sha256(), sent.sha256);
        let received = within(incoming.done()).await.unwrap();
        disk.assert_same(&path, &received);
    }
}

/// FILE-9: what is there is not sent again.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_there_moves_nothing() {
    let (_node, receiver, sender) = pair().await;
    let disk = Disk::new();
    let _files = receive(&receiver, &disk).await;
    let path = disk.file("a.bin", 5);
    assert_ne!(send(&sender, &path).await.unwrap().moved_bytes, 0);
    assert_eq!(send(&sender, &path).await.unwrap().moved_bytes, 0);
}

/// FILE-3: by a key, a changed file is no other one, and must not take the place of what has come.
#[tokio::test(flavor = "multi_thread")]
async fn another_file_under_the_same_key_is_refused_and_the_first_stays() {
    let (_node, receiver, sender) = pair().await;
    let disk = Disk::new();
    let _files = receive(&receiver, &disk).await;
    let send = async |path: &Path, key: &str| {
        within(sender.send_file("t", path).idempotency_key(key).into_future()).await
    };
    let path = disk.file("a.bin", 5);
    let first = send(&path, "order 1").await.unwrap();
    assert_eq!(send(&path, "order 1").await.unwrap().moved_bytes, 0, "it is the same file");

    let other_name = disk.file("b.bin", 5);
    let other_content = disk.file("a.bin", 6);
    for other in [&other_name, &other_content] {
        let refused = send(other, "order 1").await.unwrap_err();
        let SendFileError::Failed { code: Code::IdReused, reason: Reason::FileIdReused } = refused
        else {
            panic!("{refused:?}")
        };
    }
    assert!(!disk.inbox().join("b.bin").exists());
    assert_eq!(std::fs::metadata(disk.inbox().join("a.bin")).unwrap().len(), first.size);
    assert_ne!(send(&other_name, "order 2").await.unwrap().moved_bytes, 0);
}

/// FILE-12: over two relays, each of which holds a mebibyte at most.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_crosses_a_line_of_four_nodes() {
    let net = Net::start(&[&[], &[0], &[1], &[2]]).await;
    let (near, far) = (net.client(0).await, net.client(3).await);
    let disk = Disk::new();
    let mut files = receive(&far, &disk).await;
    let path = disk.file("big.bin", 5 * CHUNK + 7);
    let mut sending = within(near.send_file("t", &path).start()).await.unwrap();
    let mut last = 0;
    while let Some(progress) = within(sending.next_progress()).await {
        assert!(progress.received > last, "it only grows");
        last = progress.received;
    }
    let sent = within(sending.done()).await.unwrap();
    assert!(0 < last && last <= sent.size);
    let received = within(within(files.next()).await.unwrap().done()).await.unwrap();
    disk.assert_same(&path, &received);
}

/// FILE-13
#[tokio::test]
async fn a_file_for_nobody_is_refused_at_once() {
    let (_node, _receiver, sender) = pair().await;
    let disk = Disk::new();
    let path = disk.file("a.bin", 5);
    let refused = send(&sender, &path).await.unwrap_err();
    assert_eq!(refused.code(), Some(Code::NoSubscriber));
}

/// FILE-10
#[tokio::test(flavor = "multi_thread")]
async fn the_sender_learns_why_a_folder_does_not_take_a_file() {
    let (_node, receiver, sender) = pair().await;
    let disk = Disk::new();
    let mut settings = FolderSettings::default();
    settings.bytes_max = 4;
    let _files = receiver.receive_files("t", disk.inbox()).settings(settings).await.unwrap();
    let path = disk.file("a.bin", 5);
    let refused = send(&sender, &path).await.unwrap_err();
    let SendFileError::Failed { code: Code::FileRefused, reason: Reason::FileTooLong } = refused
    else {
        panic!("{refused:?}")
    };
    assert!(!disk.inbox().join("a.bin").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_of_messages_takes_no_file() {
    let (_node, receiver, sender) = pair().await;
    let _subscription = receiver.subscribe("t").await.unwrap();
    let disk = Disk::new();
    let refused = send(&sender, &disk.file("a.bin", 5)).await.unwrap_err();
    assert_eq!(refused.code(), Some(Code::SubscriberUnreachable));
}

/// FILE-10: what was hashed is not there any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_changes_while_it_is_sent_is_given_up_and_not_seen() {
    let (_node, receiver, sender) = pair().await;
    let disk = Disk::new();
    let mut files = receive(&receiver, &disk).await;
    let path = disk.file("big.bin", 6 * CHUNK);
    let start = sender.send_file("t", &path).limit(8 << 20).start();
    let mut sending = within(start).await.unwrap();
    within(sending.next_progress()).await.unwrap();
    std::fs::write(&path, vec![7; 6 * CHUNK]).unwrap();
    let given_up = within(sending.done()).await.unwrap_err();
    let SendFileError::Failed { code: Code::FileRefused, reason: Reason::FileChanged } = given_up
    else {
        panic!("{given_up:?}")
    };
    within(within(files.next()).await.unwrap().done()).await.unwrap_err();
    assert!(!disk.inbox().join("big.bin").exists());
}

/// Either end may give up; the other is told, and the same file sent again goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_given_up_goes_on_when_it_is_sent_again() {
    let (_node, receiver, sender) = pair().await;
    let disk = Disk::new();
    let mut files = receive(&receiver, &disk).await;
    let path = disk.file("big.bin", 6 * CHUNK);
    let slow = || sender.send_file("t", &path).limit(8 << 20);

    let sending = within(slow().start()).await.unwrap();
    let mut incoming = within(files.next()).await.unwrap();
    within(incoming.next_progress()).await.unwrap();
    incoming.cancel();
    let gave_up = within(incoming.done()).await.unwrap_err();
    assert!(matches!(gave_up, ReceiveFileError::Failed { reason: Reason::Cancelled, .. }));
    assert_eq!(within(sending.done()).await.unwrap_err().code(), Some(Code::FileRefused));

    let sending = within(slow().start()).await.unwrap();
    let mut incoming = within(files.next()).await.unwrap();
    within(incoming.next_progress()).await.unwrap();
    drop(sending);
    let gave_up = within(incoming.done()).await.unwrap_err();
    assert!(matches!(gave_up, ReceiveFileError::Failed { reason: Reason::Cancelled, .. }));

    let sent = send(&sender, &path).await.unwrap();
    assert!(sent.moved_bytes < sent.size, "some of it was there");
    disk.assert_same(&path, &disk.inbox().join("big.bin"));
}

/// FILE-9: the first version, the second, and the first again, while the receiver still knows of the first.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_replaced_is_there_again_once_it_is_sent_again() {
    let (_node, receiver, sender) = pair().await;
    let disk = Disk::new();
    let mut settings = FolderSettings::default();
    settings.overwrite = Overwrite::Always;
    let _files = receiver.receive_files("t", disk.inbox()).settings(settings).await.unwrap();
    let path = disk.0.path().join("a.bin");
    for text in ["one", "two", "one", "two"] {
        std::fs::write(&path, text).unwrap();
        send(&sender, &path).await.unwrap();
        assert_eq!(std::fs::read_to_string(disk.inbox().join("a.bin")).unwrap(), text);
    }
}

/// FILE-10: whoever gives up learns what is known then, and not only that.
#[tokio::test(flavor = "multi_thread")]
async fn who_cancels_a_file_is_told_whether_it_may_be_there() {
    let net = Net::start(&[&[], &[0]]).await;
    let (near, far) = (net.client(0).await, net.client(1).await);
    let disk = Disk::new();
    let mut files = receive(&far, &disk).await;
    let path = disk.file("big.bin", 6 * CHUNK);
    let slow = || near.send_file("t", &path).limit(8 << 20);
    let cancelled = (Code::FileRefused, Reason::Cancelled);

    let sending = within(slow().start()).await.unwrap();
    within(within(files.next()).await.unwrap().next_progress()).await.unwrap();
    sending.cancel();
    let Err(SendFileError::Failed { code, reason }) = within(sending.done()).await else {
        panic!("it cannot be there")
    };
    assert_eq!((code, reason), cancelled);

    let mut sending = within(slow().to_all().start()).await.unwrap();
    let progress = within(sending.next_progress()).await.unwrap();
    assert!(progress.resumed() > 0 && progress.resumed() == progress.receivers[0].resumed);
    sending.cancel();
    let sent = within(sending.done()).await.unwrap();
    assert_eq!((sent.outcomes[0].code, sent.outcomes[0].reason), cancelled);

    let sending = within(slow().start()).await.unwrap();
    sending.cancel();
    let code = within(sending.done()).await.unwrap_err().code();
    assert_eq!(code, Some(Code::TimedOut), "nobody has answered its offer");
}

/// FILE-4: the receiver that was chosen is gone, and another one takes its place.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_goes_on_with_the_next_life_of_its_receiver() {
    let net = Net::start(&[&[], &[0]]).await;
    let (near, far) = (net.client(0).await, net.client(1).await);
    let disk = Disk::new();
    let mut files = receive(&far, &disk).await;
    let path = disk.file("big.bin", 6 * CHUNK);
    let sending = within(near.send_file("t", &path).limit(8 << 20).start()).await.unwrap();
    within(within(files.next()).await.unwrap().next_progress()).await.unwrap();
    far.close().await;
    drop((files, far));
    let again = net.client(1).await;
    let _files = receive(&again, &disk).await;
    within(sending.done()).await.unwrap();
    disk.assert_same(&path, &disk.inbox().join("big.bin"));
}

async fn send(client: &Client, path: &Path) -> Result<FileSent, SendFileError> {
    within(client.send_file("t", path).into_future()).await
}

pub(crate) async fn receive(client: &Client, disk: &Disk) -> FileReceiver {
    client.receive_files("t", disk.inbox()).propagated().await.unwrap()
}

/// A directory with files, and one to receive into.
pub(crate) struct Disk(TempDir);

impl Disk {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("in")).unwrap();
        Self(dir)
    }

    pub(crate) fn inbox(&self) -> PathBuf {
        self.0.path().join("in")
    }

    /// Makes a file without a pattern that repeats within a chunk.
    pub(crate) fn file(&self, name: &str, size: usize) -> PathBuf {
        let words = 0..u32::try_from(size.div_ceil(4)).unwrap();
        let mut content: Vec<u8> = words.flat_map(|word| (word | 1 << 30).to_le_bytes()).collect();
        content.truncate(size);
        let path = self.0.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn assert_same(&self, sent: &Path, received: &Path) {
        assert!(received.starts_with(self.inbox()));
        assert!(std::fs::read(sent).unwrap() == std::fs::read(received).unwrap());
    }
}
