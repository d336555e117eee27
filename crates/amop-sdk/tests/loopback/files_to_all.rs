//! Files for all who subscribe.

use amop_sdk::{Client, Code, FileOutcome, FileSentToAll, FolderSettings, Reason, SendFileError};

use super::files::{CHUNK, Disk, receive};
use super::routes::Net;
use super::support::{pair, within};

/// FILE-4, FILE-15: one receiver is gone without a word and one takes no such file; the others have it all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_for_all_reaches_each_receiver_and_none_waits_for_another() {
    let net = Net::start(&[&[], &[0], &[0]]).await;
    let sender = net.client(0).await;
    let disks = [Disk::new(), Disk::new(), Disk::new(), Disk::new()];
    let at = [net.client(0).await, net.client(1).await, net.client(2).await, net.client(2).await];
    let mut files = Vec::new();
    for (client, disk) in at.iter().zip(&disks[..3]) {
        files.push(receive(client, disk).await);
    }
    let mut settings = FolderSettings::default();
    settings.bytes_max = 1;
    let picky = at[3].receive_files("t", disks[3].inbox()).settings(settings);
    let _picky = picky.propagated().await.unwrap();
    let path = disks[0].file("big.bin", 4 * CHUNK);

    let send = || sender.send_file("t", &path).limit(32 << 20).to_all();
    let mut sending = within(send().start()).await.unwrap();
    within(within(files[1].next()).await.unwrap().next_progress()).await.unwrap();
    at[1].close().await;
    let last = loop {
        let progress = within(sending.next_progress()).await.expect("one is waited for");
        if (progress.done(), progress.failed()) == (2, 1) {
            break progress;
        }
    };
    let slowest = last.slowest().expect("one is waited for");
    assert_eq!(slowest.instance, at[1].instance());
    assert!(slowest.received < last.total && last.receivers.len() == 4);
    for disk in [&disks[0], &disks[2]] {
        disk.assert_same(&path, &disk.inbox().join("big.bin"));
    }
    drop(sending);

    let sent = within(send().into_future()).await.unwrap();
    let outcome = |client: &Client| outcome(&sent, client).unwrap();
    for there in [&at[0], &at[2]] {
        assert_eq!((outcome(there).code, outcome(there).moved_bytes), (Code::Ok, 0));
    }
    assert_eq!(outcome(&at[2]).node.agency(), "bank-c");
    let refused = outcome(&at[3]);
    assert_eq!((refused.code, refused.reason), (Code::FileRefused, Reason::FileTooLong));
    assert_eq!((sent.code(), sent.left_out), (Code::FileRefused, 0));
    assert!(self::outcome(&sent, &at[1]).is_none(), "it does not subscribe any more");
}

/// FILE-10
#[tokio::test(flavor = "multi_thread")]
async fn who_is_silent_for_too_long_has_an_outcome_of_its_own() {
    let net = Net::start(&[&[], &[0]]).await;
    let (sender, near, far) = (net.client(0).await, net.client(0).await, net.client(1).await);
    let disks = [Disk::new(), Disk::new()];
    let _near = receive(&near, &disks[0]).await;
    let mut far_files = receive(&far, &disks[1]).await;
    let path = disks[0].file("big.bin", 8 * CHUNK);
    let send = sender.send_file("t", &path).limit(24 << 20).patience(super::support::SHORT * 5);
    let sending = within(send.to_all().start()).await.unwrap();
    within(within(far_files.next()).await.unwrap().next_progress()).await.unwrap();
    far.close().await;
    let sent = within(sending.done()).await.unwrap();
    let codes = [&near, &far].map(|client| outcome(&sent, client).unwrap().code);
    assert_eq!(codes, [Code::Ok, Code::SubscriberUnreachable]);
    assert_eq!(sent.code(), Code::SubscriberUnreachable);
}

#[tokio::test]
async fn a_file_for_all_of_nobody_is_refused() {
    let (_node, _receiver, sender) = pair().await;
    let disk = Disk::new();
    let path = disk.file("a.bin", 5);
    let refused = within(sender.send_file("t", path).to_all().start()).await.unwrap_err();
    let SendFileError::Failed { code: Code::NoSubscriber, reason: Reason::NoSubscriber } = refused
    else {
        panic!("{refused:?}")
    };
}

fn outcome<'a>(sent: &'a FileSentToAll, client: &Client) -> Option<&'a FileOutcome> {
    sent.outcomes.iter().find(|outcome| outcome.instance == client.instance())
}
