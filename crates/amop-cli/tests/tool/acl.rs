//! `amop acl`.

use std::fs;

use crate::support::{amop, certified, object, run, text};

#[tokio::test]
async fn it_is_told_which_rule_decides_and_where_it_stands() {
    let dir = certified().await;
    let explain = |who: &'static str, action: &'static str, topic: &'static str| {
        amop(dir.path(), &["acl", "explain", who, action, topic])
    };
    let pay = "pay.sdk.bank-a.amop";
    let told = run(&mut explain(pay, "publish", "quote")).await;
    assert_eq!(text(&told.stdout), "allow, there are no rules\n", "{told:?}");

    let file = dir.path().join("amop.toml");
    let config = fs::read_to_string(&file).unwrap();
    let first = config.lines().count() + 2;
    let rules = "[[acl]]\nwho = \"pay.sdk.bank-a.amop\"\ntopics = \"quote\"\nallow = [\"publish\"]\n\
                 [[acl]]\nwho = \"agency:bank-a\"\ntopics = \"q*\"\nallow = []\n";
    fs::write(&file, format!("{config}\n{rules}")).unwrap();
    let first = first + 1;
    for (action, topic, expected) in [
        ("publish", "quote", format!("allow, rule 1 (amop.toml:{first})\n")),
        ("subscribe", "quote", format!("refuse, rule 1 (amop.toml:{first})\n")),
        ("file", "quiet", format!("refuse, rule 2 (amop.toml:{})\n", first + 4)),
        ("publish", "other", "refuse, no rule is about it\n".to_owned()),
    ] {
        let told = run(&mut explain(pay, action, topic)).await;
        assert_eq!(text(&told.stdout), expected, "{told:?}");
    }
    let told =
        run(&mut amop(dir.path(), &["--json", "acl", "explain", pay, "publish", "quote"])).await;
    assert_eq!((&object(&told)["decision"], &object(&told)["rule"]), (&"allow".into(), &1.into()));

    let node = run(&mut explain("n1.node.bank-a.amop", "publish", "quote")).await;
    assert_eq!(node.status.code(), Some(2), "{node:?}");
    let nobody = run(&mut explain("pay", "publish", "quote")).await;
    assert_eq!(nobody.status.code(), Some(2), "{nobody:?}");
}
