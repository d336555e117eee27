//! `amop sub`, `amop pub` and `amop request` against a node.

use std::fs;

use crate::support::{Running, Site, keys, object, objects, run, run_with_input, text};

#[tokio::test]
async fn a_request_prints_the_answer_and_nothing_else() {
    let site = Site::start().await;
    let mut sub = site.amop(&["sub", "quote", "-n", "1", "--reply", "7.1234"]);
    let mut sub = Running::subscriber(&mut sub).await;

    let asked = run(&mut site.amop(&["request", "quote", r#"{"pair":"USDCNY"}"#])).await;
    assert_eq!((asked.status.code(), text(&asked.stdout)), (Some(0), "7.1234".into()));
    assert!(asked.stderr.is_empty(), "nobody looks: {asked:?}");

    let header = sub.line().await;
    assert!(header.contains("  quote  bank-a/payments  unicast 17 B  "), "{header}");
    assert_eq!(sub.line().await, r#"{"pair":"USDCNY"}"#);
    assert_eq!(sub.end().await, (Some(0), String::new(), String::new()));
}

#[tokio::test]
async fn a_unicast_prints_nothing_and_gets_an_empty_answer_by_default() {
    let site = Site::start().await;
    let mut sub = Running::subscriber(&mut site.amop(&["sub", "orders", "-n", "2"])).await;

    let published = run(&mut site.amop(&["pub", "orders", "one"])).await;
    assert_eq!(published.status.code(), Some(0), "{published:?}");
    assert!(published.stdout.is_empty() && published.stderr.is_empty(), "{published:?}");
    let answered = run(&mut site.amop(&["pub", "orders", "two", "--json"])).await;
    assert_eq!(object(&answered)["bytes"], 0);

    sub.line().await;
    assert_eq!(sub.line().await, "one");
    assert_eq!(sub.end().await.0, Some(0));
}

#[tokio::test]
async fn a_multicast_prints_its_receipt() {
    let site = Site::start().await;
    let first = Running::subscriber(&mut site.amop(&["sub", "rates", "-n", "1"])).await;
    let second = Running::subscriber(&mut site.amop(&["sub", "rates", "-n", "1"])).await;

    let published = run(&mut site.amop(&["pub", "rates", "up", "--multicast"])).await;
    let receipt = text(&published.stdout);
    assert!(receipt.starts_with("multicast `rates` 2 B → 2 of 2 subscribers  "), "{receipt}");
    for sub in [first, second] {
        let (code, stdout, _) = sub.end().await;
        assert_eq!(code, Some(0));
        assert!(stdout.contains("multicast 2 B") && stdout.ends_with("\nup\n"), "{stdout}");
    }

    let published = run(&mut site.amop(&["pub", "nobody", "up", "--multicast"])).await;
    assert_eq!(published.status.code(), Some(0), "nobody is no failure");
    assert!(text(&published.stdout).contains(" → 0 of 0 subscribers"), "{published:?}");
}

#[tokio::test]
async fn payloads_come_from_files_and_pipes_and_go_there_byte_for_byte() {
    let site = Site::start().await;
    let payload: Vec<u8> = (0..=255).chain([b'\n']).collect();
    fs::write(site.dir.path().join("payload.bin"), &payload).unwrap();
    let taken = fs::File::create(site.dir.path().join("taken.bin")).unwrap();

    let mut sub = site.amop(&["sub", "bytes", "-n", "3", "--raw"]);
    let sub = Running::subscriber_into(&mut sub, taken).await;
    let by_file = run(&mut site.amop(&["pub", "bytes", "@payload.bin"])).await;
    let by_pipe = run_with_input(&mut site.amop(&["pub", "bytes", "-"]), &payload).await;
    let empty = run(&mut site.amop(&["pub", "bytes"])).await;
    for published in [by_file, by_pipe, empty] {
        assert_eq!(published.status.code(), Some(0), "{published:?}");
    }
    assert_eq!(sub.end().await.0, Some(0));
    assert_eq!(
        fs::read(site.dir.path().join("taken.bin")).unwrap(),
        [&*payload, &*payload].concat()
    );
}

#[tokio::test]
async fn objects_begin_with_their_type_and_have_the_documented_keys() {
    let site = Site::start().await;
    let mut sub = site.amop(&["sub", "quote", "--json", "-n", "2", "--reply", "ok"]);
    let mut sub = Running::subscriber(&mut sub).await;

    let answer = object(&run(&mut site.amop(&["request", "quote", "text", "--json"])).await);
    let answer_keys =
        ["attempts", "bytes", "code", "encoding", "id", "ms", "node", "payload", "topic", "type"];
    assert_eq!(keys(&answer), answer_keys);
    assert_eq!((&answer["type"], &answer["payload"]), (&"answer".into(), &"ok".into()));
    assert_eq!(answer["node"], "n1.node.bank-a.amop");

    let multicast = ["pub", "quote", "-", "--multicast", "--json"];
    let receipt = object(&run_with_input(&mut site.amop(&multicast), b"\xff").await);
    let receipt_keys =
        ["acked", "code", "id", "ms", "refused", "targets", "topic", "type", "unknown"];
    assert_eq!(keys(&receipt), receipt_keys);
    assert_eq!((&receipt["type"], &receipt["acked"]), (&"receipt".into(), &1.into()));

    let lines = [sub.line().await, sub.line().await].join("\n");
    let messages = objects(&lines);
    let message_keys =
        ["bytes", "encoding", "from", "id", "mode", "payload", "topic", "ts", "type"];
    assert_eq!(keys(&messages[0]), message_keys);
    assert_eq!(messages[0]["id"], answer["id"]);
    assert_eq!(messages[0]["from"], "payments.sdk.bank-a.amop");
    assert_eq!(
        (&messages[0]["mode"], &messages[0]["encoding"]),
        (&"unicast".into(), &"utf8".into())
    );
    assert_eq!(
        (&messages[1]["mode"], &messages[1]["encoding"]),
        (&"multicast".into(), &"hex".into())
    );
    assert_eq!(messages[1]["payload"], "ff");

    let error = run(&mut site.amop(&["request", "nobody", "x", "--json"])).await;
    assert!(error.stderr.is_empty(), "{error:?}");
    let error = object(&error);
    let error_keys = [
        "code",
        "exit",
        "id",
        "kind",
        "may_have_been_handled",
        "message",
        "next",
        "node",
        "retry_after_ms",
        "type",
        "why",
    ];
    assert_eq!(keys(&error), error_keys);
    assert_eq!((&error["type"], &error["code"]), (&"error".into(), &100.into()));
    assert_eq!((&error["kind"], &error["exit"]), (&"no-subscriber".into(), &100.into()));
    assert_eq!(error["may_have_been_handled"], false);
}

#[tokio::test]
async fn several_topics_come_in_one_line() {
    let site = Site::start().await;
    let mut sub = site.amop(&["sub", "a", "b", "a", "-n", "2", "--json"]);
    let mut sub = Running::start(&mut sub);
    assert_eq!(sub.error_line("subscribed to ").await, "subscribed to `a`, `b`");

    for topic in ["a", "b"] {
        let published = run(&mut site.amop(&["pub", topic, "x"])).await;
        assert_eq!(published.status.code(), Some(0), "{published:?}");
    }
    let (code, stdout, _) = sub.end().await;
    let topics: Vec<_> = objects(&stdout).iter().map(|message| message["topic"].clone()).collect();
    assert_eq!((code, topics), (Some(0), vec!["a".into(), "b".into()]));
}
