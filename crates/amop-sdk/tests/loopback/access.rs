//! What clients are told of what they may not do: ACL-2, ACL-3.

use amop_node::{Access, Permissions, Rule, Rules};
use amop_sdk::{Code, Reason, SubscribeError};

use crate::support::{next, pair, within};

fn rules(allow: Permissions) -> Access {
    let (who, topics) = (vec!["*".parse().unwrap()], vec!["quote".parse().unwrap()]);
    let rules = Rules::new(vec![Rule { who, topics, allow }]);
    Access { rules, ..Access::default() }
}

/// ACL-3
#[tokio::test]
async fn an_open_subscription_that_is_forbidden_ends_and_says_why() {
    let (node, subscriber, publisher) = pair().await;
    let mut quotes = subscriber.subscribe("quote").await.unwrap();
    let publish = publisher.multicast("quote", "1").into_future();
    let (receipt, message) = tokio::join!(within(publish), next(&mut quotes));
    assert_eq!((receipt.unwrap().acked, message.payload().as_ref()), (1, &b"1"[..]));
    drop(message);
    node.set_access(rules(Permissions { publish: true, subscribe: false, file: false }));
    assert!(within(quotes.next()).await.is_none());
    let forbidden = SubscribeError::Refused {
        topic: "quote".parse().unwrap(),
        code: Code::NotPermitted,
        reason: Reason::NotPermitted,
    };
    assert_eq!(quotes.why_ended(), Some(forbidden.clone()));
    drop(quotes);
    let again = within(subscriber.subscribe("quote").into_future()).await;
    assert_eq!(again.unwrap_err(), forbidden);
}

/// ACL-2
#[tokio::test]
async fn messages_and_files_that_are_forbidden_end_with_202() {
    let (node, subscriber, publisher) = pair().await;
    let _quotes = subscriber.subscribe("quote").await.unwrap();
    node.set_access(rules(Permissions { publish: false, subscribe: true, file: false }));
    // The rules count from a moment on that nobody tells: what is subscribed after it is refused.
    while within(subscriber.subscribe("other").into_future()).await.is_ok() {}
    for topic in ["quote", "nobody is here"] {
        let error = within(publisher.request(topic, "").into_future()).await.unwrap_err();
        assert_eq!((error.code(), error.reason()), (Code::NotPermitted, Reason::NotPermitted));
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "content").unwrap();
    let error = within(publisher.send_file("quote", &file).into_future()).await.unwrap_err();
    assert_eq!(error.code(), Some(Code::NotPermitted), "{error}");
    let error =
        within(publisher.send_file("quote", &file).to_all().into_future()).await.unwrap_err();
    assert_eq!(error.code(), Some(Code::NotPermitted), "{error}");
}
