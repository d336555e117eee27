//! How commands end: the exit code, and what is said about it.

use std::net::UdpSocket;

use amop_sdk::{Client, Identity, Trust};

use crate::support::{Running, Site, amop, certified, object, run, run_with_input, text};

#[tokio::test]
async fn nobody_there_is_100_and_says_what_to_do() {
    let site = Site::start().await;
    let asked = run(&mut site.amop(&["request", "quote", "x"])).await;
    assert_eq!(asked.status.code(), Some(100));
    assert!(asked.stdout.is_empty(), "{asked:?}");
    let told = text(&asked.stderr);
    let first =
        "error[no-subscriber] 100: no reachable node has a subscriber for `quote`\n  id     ";
    assert!(told.starts_with(first), "{told}");
    assert!(told.contains("\n  next   "), "{told}");
}

#[tokio::test]
async fn a_handler_that_is_too_slow_is_102() {
    let site = Site::start().await;
    let mut slow = client(&site).await.subscribe("slow").await.unwrap();
    let mut asked = site.amop(&["request", "slow", "x", "--timeout", "300ms", "--json"]);
    let (asked, message) = tokio::join!(run(&mut asked), slow.next());
    assert!(message.is_some(), "it had the message until the publisher gave up");
    assert_eq!(asked.status.code(), Some(102));
    assert_eq!(object(&asked)["may_have_been_handled"], true);
}

#[tokio::test]
async fn a_handler_that_fails_is_1_although_the_message_was_handled() {
    let site = Site::start().await;
    let mut subscription = client(&site).await.subscribe("orders").await.unwrap();
    let mut asked = site.amop(&["pub", "orders", "x"]);
    let handle = async {
        let message = subscription.next().await.expect("a message");
        message.fail("out of stock").unwrap();
    };
    let (asked, ()) = tokio::join!(run(&mut asked), handle);
    assert_eq!(asked.status.code(), Some(1));
    let told = text(&asked.stderr);
    assert!(
        told.starts_with("error[handler-failed] 0: ") && told.contains("out of stock"),
        "{told}"
    );
}

#[tokio::test]
async fn what_no_node_would_take_is_201() {
    let site = Site::start().await;
    let too_long = vec![b'x'; amop_sdk::limits::PAYLOAD_BYTES_MAX + 1];
    let by_pipe = run_with_input(&mut site.amop(&["pub", "t", "-"]), &too_long).await;
    let bad_topic = run(&mut site.amop(&["pub", " t", "x"])).await;
    let bad_subscription = run(&mut site.amop(&["sub", "t\n"])).await;
    for ended in [&by_pipe, &bad_topic, &bad_subscription] {
        assert_eq!(ended.status.code(), Some(201), "{ended:?}");
    }
    let longest = run_with_input(&mut site.amop(&["pub", "t", "-"]), &too_long[1..]).await;
    assert_eq!(longest.status.code(), Some(100), "one byte less is taken: {longest:?}");
}

#[tokio::test]
async fn an_endpoint_that_does_not_answer_is_69() {
    let dir = certified().await;
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let endpoint = silent.local_addr().unwrap().to_string();
    let arguments = ["request", "t", "x", "-e", &endpoint, "--timeout", "500ms"];
    let ended = run(&mut amop(dir.path(), &arguments)).await;
    assert_eq!(ended.status.code(), Some(69), "{ended:?}");
    assert!(text(&ended.stderr).starts_with("error[unreachable]: "), "{ended:?}");
}

#[tokio::test]
async fn a_certificate_of_another_consortium_is_77_and_the_node_says_why() {
    let (site, elsewhere) = (Site::start().await, certified().await);
    let ca = site.dir.path().join("ca.crt").display().to_string();
    let mut command = amop(elsewhere.path(), &["sub", "t", "-e", &site.endpoint(), "--ca", &ca]);
    let ended = run(&mut command).await;
    assert_eq!(ended.status.code(), Some(77), "{ended:?}");
    let sentence = "certificate payments.sdk.bank-a.amop refused: not issued by a trusted root";
    assert!(text(&ended.stderr).contains(sentence), "{ended:?}");

    let ended = run(&mut amop(elsewhere.path(), &["sub", "t", "-e", &site.endpoint()])).await;
    assert_eq!(ended.status.code(), Some(77), "we refuse the node as well: {ended:?}");
}

#[tokio::test]
async fn the_port_for_nodes_is_another_protocol_76() {
    let site = Site::start().await;
    let endpoint = site.node.p2p_addr().to_string();
    let ended = run(&mut amop(site.dir.path(), &["sub", "t", "-e", &endpoint])).await;
    assert_eq!(ended.status.code(), Some(76), "{ended:?}");
}

#[tokio::test]
async fn files_that_are_missing_or_something_else_have_codes_of_their_own() {
    let empty = tempfile::tempdir().unwrap();
    let ended = run(&mut amop(empty.path(), &["sub", "t"])).await;
    assert_eq!(ended.status.code(), Some(66), "{ended:?}");
    assert!(text(&ended.stderr).contains("amop cert quick"), "{ended:?}");

    let dir = certified().await;
    let ended = run(&mut amop(dir.path(), &["sub", "t", "--ca", "missing.crt"])).await;
    assert_eq!(ended.status.code(), Some(66), "{ended:?}");
    let ended = run(&mut amop(dir.path(), &["sub", "t", "--ca", "sdk.key"])).await;
    assert_eq!(ended.status.code(), Some(65), "{ended:?}");
    let other_key = ["sub", "t", "--cert", "sdk.crt", "--key", "node.key"];
    assert_eq!(run(&mut amop(dir.path(), &other_key)).await.status.code(), Some(65));
    let ended = run(&mut amop(dir.path(), &["pub", "t", "@missing"])).await;
    assert_eq!(ended.status.code(), Some(66), "{ended:?}");
    let ended = run(&mut amop(dir.path(), &["sub", "t", "-e", "no-port"])).await;
    assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    let ended = run(amop(dir.path(), &["sub", "t"]).env("AMOP_CONTEXT", "../x")).await;
    assert_eq!(ended.status.code(), Some(78), "{ended:?}");
}

#[tokio::test]
async fn a_reader_that_goes_away_ends_a_subscriber_quietly() {
    let site = Site::start().await;
    let mut sub = Running::subscriber(&mut site.amop(&["sub", "t"])).await;
    let published = run(&mut site.amop(&["pub", "t", "x", "--multicast"])).await;
    assert_eq!(published.status.code(), Some(0));
    sub.line().await;
    drop(sub.stdout.take());
    // It ends although no further message comes, and tells its node.
    assert_eq!(sub.end().await, (Some(0), String::new(), String::new()));
    site.everybody_said_goodbye().await;
}

#[tokio::test]
async fn an_answer_that_nobody_reads_is_no_failure() {
    let site = Site::start().await;
    let _sub = Running::subscriber(&mut site.amop(&["sub", "t", "--reply", "x"])).await;
    let mut asked = Running::start(&mut site.amop(&["request", "t", "x"]));
    drop(asked.stdout.take());
    assert_eq!(asked.end().await, (Some(0), String::new(), String::new()));
}

#[tokio::test]
async fn ctrl_c_is_130_unless_a_message_came() {
    let site = Site::start().await;
    let idle = Running::subscriber(&mut site.amop(&["sub", "t"])).await;
    idle.signal("INT").await;
    assert_eq!(idle.end().await.0, Some(130));
    site.everybody_said_goodbye().await;

    let mut sub = Running::subscriber(&mut site.amop(&["sub", "t"])).await;
    let published = run(&mut site.amop(&["pub", "t", "x"])).await;
    assert_eq!(published.status.code(), Some(0), "{published:?}");
    sub.line().await;
    sub.signal("INT").await;
    assert_eq!(sub.end().await.0, Some(0));

    let waiting = Running::subscriber(&mut site.amop(&["sub", "t"])).await;
    waiting.signal("TERM").await;
    assert_eq!(waiting.end().await.0, Some(143));
}

#[tokio::test]
async fn time_that_is_over_is_a_failure_only_if_messages_were_counted() {
    let site = Site::start().await;
    let ended = run(&mut site.amop(&["sub", "t", "--for", "50ms"])).await;
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    let ended = run(&mut site.amop(&["sub", "t", "--for", "50ms", "-n", "1", "--json"])).await;
    assert_eq!((ended.status.code(), &object(&ended)["kind"]), (Some(1), &"too-few".into()));
}

/// A client of the SDK, for what the tool would not do.
async fn client(site: &Site) -> Client {
    let read = |file: &str| std::fs::read(site.dir.path().join(file)).unwrap();
    let identity = Identity::from_pem(&read("sdk.crt"), &read("sdk.key")).unwrap();
    let trust = Trust::from_pem(&read("ca.crt")).unwrap();
    let builder = Client::builder().endpoint(site.endpoint());
    builder.identity(identity).trust(trust).connect().await.unwrap()
}
