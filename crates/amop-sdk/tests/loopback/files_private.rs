//! Files on private topics.

use amop_sdk::{
    Client, Code, FileReceiver, FileSent, Reason, ReceiveFileError, SecretKey, SendFileError,
    generate_key,
};
use std::path::Path;

use super::files::{CHUNK, Disk};
use super::routes::Net;
use super::support::{SHORT, within};

async fn receive(client: &Client, disk: &Disk, key: &SecretKey) -> FileReceiver {
    let receive = client.receive_files("salary", disk.inbox()).with_key(key.clone());
    receive.propagated().await.unwrap()
}

async fn send(client: &Client, path: &Path) -> Result<FileSent, SendFileError> {
    within(client.send_file("salary", path).into_future()).await
}

fn failed(result: Result<FileSent, SendFileError>) -> (Code, Reason) {
    match result {
        Err(SendFileError::Failed { code, reason }) => (code, reason),
        other => panic!("{other:?}"),
    }
}

/// FILE-14: over a relay; who holds another key, and who holds none, is at the same node.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_on_a_private_topic_reaches_who_holds_a_listed_key_and_nobody_else() {
    let net = Net::start(&[&[], &[0], &[1]]).await;
    let sender = net.client(0).await;
    let (hr, stranger, open) = (net.client(2).await, net.client(2).await, net.client(2).await);
    let disks = [Disk::new(), Disk::new(), Disk::new()];
    let key = generate_key();
    let _strange = receive(&stranger, &disks[1], &generate_key()).await;
    let _open = open.receive_files("salary", disks[2].inbox()).propagated().await.unwrap();
    let private = sender.private("salary").to([key.public()]).unwrap();
    let path = disks[0].file("salaries.csv", CHUNK + 7);
    let nobody = sender.send_file("salary", &path).patience(SHORT);
    let nobody = failed(within(nobody.into_future()).await);
    assert_eq!(nobody, (Code::NoSubscriber, Reason::NoVerifiedReceiver));

    let mut files = receive(&hr, &disks[0], &key).await;
    within(private.verified().by(&key.public())).await;
    let sent = send(&sender, &path).await.unwrap();
    let incoming = within(files.next()).await.unwrap();
    assert_eq!((incoming.name(), *incoming.sha256()), ("salaries.csv", sent.sha256));
    disks[0].assert_same(&path, &within(incoming.done()).await.unwrap());
    assert_eq!(send(&sender, &path).await.unwrap().moved_bytes, 0, "it is there");

    let path = disks[0].file("more.csv", 3);
    let to_all = sender.send_file("salary", &path).patience(SHORT * 5).to_all();
    let sent = within(to_all.into_future()).await.unwrap();
    let codes: Vec<_> = sent.outcomes.iter().map(|it| (it.instance, it.code)).collect();
    assert_eq!(codes, [(hr.instance(), Code::Ok)], "the others were offered nothing");
    for disk in &disks[1..] {
        let mut lies = std::fs::read_dir(disk.inbox()).unwrap();
        assert_eq!(lies.next().unwrap().unwrap().file_name(), ".amop-part");
        assert!(lies.next().is_none());
        assert_eq!(std::fs::read_dir(disk.inbox().join(".amop-part")).unwrap().count(), 0);
    }
}

/// FILE-3, FILE-14: the receiver tells by the sealed offer, to one or to all.
#[tokio::test(flavor = "multi_thread")]
async fn another_file_under_the_same_idempotency_key_is_refused_on_a_private_topic() {
    let net = Net::start(&[&[]]).await;
    let (sender, hr) = (net.client(0).await, net.client(0).await);
    let (disk, key) = (Disk::new(), generate_key());
    let _files = receive(&hr, &disk, &key).await;
    let _private = sender.private("salary").to([key.public()]).unwrap();
    let keyed = |path: &Path| sender.send_file("salary", path).idempotency_key("run 7");
    within(keyed(&disk.file("a.csv", 5)).into_future()).await.unwrap();
    let other = disk.file("b.csv", 6);
    let refused = failed(within(keyed(&other).into_future()).await);
    assert_eq!(refused, (Code::IdReused, Reason::FileIdReused));
    let sent = within(keyed(&other).to_all().into_future()).await.unwrap();
    let codes: Vec<_> = sent.outcomes.iter().map(|it| (it.instance, it.code)).collect();
    assert_eq!(codes, [(hr.instance(), Code::IdReused)]);
    assert!(!disk.inbox().join("b.csv").exists());
}

/// PRIV-8
#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_given_up_once_its_key_is_removed_and_goes_on_once_it_is_back() {
    let net = Net::start(&[&[]]).await;
    let (sender, hr) = (net.client(0).await, net.client(0).await);
    let (disk, key) = (Disk::new(), generate_key());
    let mut files = receive(&hr, &disk, &key).await;
    let private = sender.private("salary").to([key.public()]).unwrap();
    let path = disk.file("big.bin", 6 * CHUNK);
    let slow = sender.send_file("salary", &path).limit(8 << 20);
    let sending = within(slow.start()).await.unwrap();
    let mut incoming = within(files.next()).await.unwrap();
    within(incoming.next_progress()).await.unwrap();
    private.remove(&key.public());
    let ended = within(sending.done()).await;
    assert_eq!(failed(ended).1, Reason::Cancelled);
    let gave_up = within(incoming.done()).await.unwrap_err();
    assert!(matches!(gave_up, ReceiveFileError::Failed { reason: Reason::Cancelled, .. }));
    assert_eq!(failed(send(&sender, &path).await).1, Reason::NoVerifiedReceiver);

    private.allow([key.public()]).unwrap();
    let sent = send(&sender, &path).await.unwrap();
    assert!(sent.moved_bytes < sent.size, "some of it was there");
    disk.assert_same(&path, &disk.inbox().join("big.bin"));
}

/// PRIV-1: both ways.
#[tokio::test(flavor = "multi_thread")]
async fn who_holds_a_key_takes_no_file_in_the_clear_and_none_under_way_stays_so() {
    let net = Net::start(&[&[]]).await;
    let (sender, hr) = (net.client(0).await, net.client(0).await);
    let (disk, key) = (Disk::new(), generate_key());
    let mut files = receive(&hr, &disk, &key).await;
    let path = disk.file("big.bin", 6 * CHUNK);
    let refused = failed(send(&sender, &path).await);
    assert_eq!(refused, (Code::SubscriberUnreachable, Reason::NotSealed));
    drop(files);
    files = hr.receive_files("salary", disk.inbox()).propagated().await.unwrap();
    let sending = within(sender.send_file("salary", &path).limit(8 << 20).start()).await.unwrap();
    within(within(files.next()).await.unwrap().next_progress()).await.unwrap();
    let _private = sender.private("salary").to([key.public()]).unwrap();
    assert_eq!(failed(within(sending.done()).await).1, Reason::Cancelled);
}

/// FILE-16: though it was verified once, by a key that is on the list.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_goes_past_who_holds_another_key_now() {
    let net = Net::start(&[&[], &[0]]).await;
    let (sender, changed, holder) = (net.client(0).await, net.client(1).await, net.client(1).await);
    let (disks, keys) = ([Disk::new(), Disk::new()], [generate_key(), generate_key()]);
    let files = receive(&changed, &disks[0], &keys[0]).await;
    let _holder = receive(&holder, &disks[1], &keys[1]).await;
    let private = sender.private("salary").to(keys.each_ref().map(SecretKey::public)).unwrap();
    for key in &keys {
        within(private.verified().by(&key.public())).await;
    }
    drop(files);
    let _changed = receive(&changed, &disks[0], &generate_key()).await;
    for number in 0..8 {
        let path = disks[1].file(&format!("{number}.csv"), 7 + number);
        assert_eq!(send(&sender, &path).await.unwrap().size, 7 + number as u64);
        disks[1].assert_same(&path, &disks[1].inbox().join(path.file_name().unwrap()));
    }
}

/// FILE-16: at once, though a receiver may be silent for a minute; and once it has one that is listed, it gets it.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_for_nobody_but_who_holds_another_key_now_says_so_within_seconds() {
    let net = Net::start(&[&[]]).await;
    let (sender, hr) = (net.client(0).await, net.client(0).await);
    let (disk, key, later) = (Disk::new(), generate_key(), generate_key());
    let files = receive(&hr, &disk, &key).await;
    let private = sender.private("salary").to([key.public(), later.public()]).unwrap();
    within(private.verified().by(&key.public())).await;
    drop(files);
    let files = receive(&hr, &disk, &generate_key()).await;
    within(private.verified().by(&key.public())).await;
    let path = disk.file("salaries.csv", 7);
    let refused = failed(send(&sender, &path).await);
    assert_eq!(refused, (Code::SubscriberUnreachable, Reason::CannotOpen));
    drop(files);
    let _files = receive(&hr, &disk, &later).await;
    within(private.verified().by(&later.public())).await;
    send(&sender, &path).await.unwrap();
}
