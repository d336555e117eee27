//! Private topics between real clients over real nodes.

use amop_sdk::{
    Code, KeyFileError, PrivateError, PublicKey, Reason, SecretKey, generate_key, read_key_file,
    read_public_key, write_key_file,
};
use tempfile::tempdir;

use crate::routes::Net;
use crate::support::{echo, next, pair, within};

/// PRIV-1, PRIV-2: over two relays and at one node; the stranger is at the same node as who may read.
#[tokio::test]
async fn only_who_holds_a_listed_key_reads_what_is_published() {
    let net = Net::start(&[&[], &[0], &[1]]).await;
    let (publisher, hr, stranger) = (net.client(0).await, net.client(2).await, net.client(2).await);
    let key = generate_key();
    let mut unread = stranger.subscribe_private("salary", generate_key()).await.unwrap();
    let salaries = hr.subscribe_private("salary", key.clone()).propagated().await.unwrap();
    let echo = tokio::spawn(echo(salaries));

    let private = publisher.private("salary").to([key.public()]).unwrap();
    let proved = within(private.verified().by(&key.public())).await;
    assert_eq!(proved.instance, hr.instance());
    assert_eq!(private.verified().now(), [proved]);
    let answer = within(private.request("4711: 3,000").into_future()).await.unwrap();
    assert_eq!(answer.payload, "4711: 3,000");
    let receipt = within(private.multicast("all").into_future()).await.unwrap();
    assert_eq!((receipt.targets, receipt.acked, receipt.refused), (2, 1, 1));

    private.remove(&key.public());
    assert_eq!(private.verified().now(), []);
    let error = within(private.request("4711: 4,000").into_future()).await.unwrap_err();
    assert_eq!((error.code(), error.reason()), (Code::NoSubscriber, Reason::NoVerifiedReceiver));
    echo.abort();
    stranger.close().await;
    assert!(unread.next().await.is_none(), "it never got a word");
}

/// PRIV-1: also by who knows nothing of keys.
#[tokio::test]
async fn what_a_topic_without_keys_carries_is_refused_by_who_holds_one() {
    let (_node, subscriber, publisher) = pair().await;
    let mut private = subscriber.subscribe_private("salary", generate_key()).await.unwrap();
    let error = within(publisher.request("salary", "clear").into_future()).await.unwrap_err();
    assert_eq!((error.code(), error.reason()), (Code::SubscriberUnreachable, Reason::NotSealed));
    drop(private);
    private = subscriber.subscribe("salary").await.unwrap();
    let asked = tokio::spawn(publisher.request("salary", "clear").into_future());
    next(&mut private).await.reply("ok").unwrap();
    assert_eq!(within(asked).await.unwrap().unwrap().payload, "ok");
}

/// A topic subscribed to again has other channels: what comes meanwhile waits for them.
#[tokio::test]
async fn a_subscription_that_is_made_again_is_verified_again() {
    let (_node, subscriber, publisher) = pair().await;
    let key = generate_key();
    let private = publisher.private("salary").to([key.public()]).unwrap();
    for _ in 0..2 {
        let subscription = subscriber.subscribe_private("salary", key.clone()).await.unwrap();
        let echo = tokio::spawn(echo(subscription));
        within(private.verified().by(&key.public())).await;
        let answer = within(private.request("again").into_future()).await;
        assert_eq!(answer.unwrap().payload, "again");
        echo.abort();
        assert!(echo.await.unwrap_err().is_cancelled());
    }
}

/// PRIV-18: the node would close the link over one topic more.
#[tokio::test]
async fn a_client_has_256_private_topics_and_is_told_so_at_the_next() {
    let (_node, _, publisher) = pair().await;
    let key = generate_key().public();
    let private = |n: usize| publisher.private(format!("t{n}")).to([key]);
    for n in (0..256).chain([0]) {
        private(n).unwrap();
    }
    assert!(matches!(private(256), Err(PrivateError::TooManyTopics)));
    assert!(matches!(publisher.private(" ").to([key]), Err(PrivateError::BadTopic(_))));
}

#[test]
fn key_files_are_for_their_owner_alone() {
    let dir = tempdir().unwrap();
    let (plain, sealed) = (dir.path().join("plain.key"), dir.path().join("sealed.key"));
    let key = generate_key();
    write_key_file(&plain, &key, None).unwrap();
    write_key_file(&sealed, &key, Some(b"secret")).unwrap();
    let public = |key: Result<SecretKey, KeyFileError>| key.unwrap().public();
    assert_eq!(public(read_key_file(&plain, None)), key.public());
    assert_eq!(public(read_key_file(&sealed, Some(b"secret"))), key.public());
    let again = write_key_file(&plain, &generate_key(), None);
    assert!(matches!(again, Err(KeyFileError::Unwritable { .. })));
    for (path, password) in [(&sealed, None), (&sealed, Some(&b"other"[..]))] {
        let error = read_key_file(path, password).unwrap_err();
        assert!(matches!(error, KeyFileError::NoKey { .. }), "{error}");
    }
    let missing = read_key_file(&dir.path().join("none"), None);
    assert!(matches!(missing, Err(KeyFileError::Unreadable { .. })));
}

#[cfg(unix)]
#[test]
fn a_key_file_that_others_can_read_is_refused() {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempdir().unwrap();
    let path = dir.path().join("hr.key");
    write_key_file(&path, &generate_key(), None).unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    for (mode, is_refused) in [(0o640, true), (0o604, true), (0o620, true), (0o400, false)] {
        set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let read = read_key_file(&path, None);
        assert_eq!(matches!(read, Err(KeyFileError::OthersCanRead { .. })), is_refused, "{mode:o}");
    }
}

#[test]
fn public_keys_are_read_from_hex_and_from_files() {
    let dir = tempdir().unwrap();
    let (path, key) = (dir.path().join("hr.pub"), generate_key().public());
    std::fs::write(&path, key.to_pem()).unwrap();
    let hex: String = key.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let path = path.to_str().unwrap();
    let read = |text: &str| -> PublicKey { read_public_key(text).unwrap() };
    assert_eq!((read(&hex), read(path)), (key, key));
    for bad in ["nowhere", &hex[..64], &format!("{}00", &hex[2..])] {
        assert!(read_public_key(bad).is_err(), "{bad}");
    }
}
