//! The rules of `[[acl]]`, from the file to a decision.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::SystemTime;

use amop_node::{Config, ConfigErrors, Permissions};
use amop_pki::{AgencyPlan, Consortium};
use tempfile::TempDir;

/// A directory with certificates and a configuration that ends with this text, which begins in line 13.
fn read(rules: &str) -> Result<Config, ConfigErrors> {
    let dir = TempDir::new().unwrap();
    let plan = [AgencyPlan { agency: "bank-a", nodes: &["n1"], clients: &[] }];
    let consortium = Consortium::new("Test", "amop", &plan, now()).unwrap();
    let node = consortium.node("bank-a", "n1").unwrap();
    let path = |name: &str| dir.path().join(name);
    fs::write(path("ca.crt"), consortium.root().certificate_pem()).unwrap();
    fs::write(path("node.crt"), node.chain_pem()).unwrap();
    fs::write(path("node.key"), node.key_pem()).unwrap();
    fs::set_permissions(path("node.key"), fs::Permissions::from_mode(0o600)).unwrap();
    let text = format!(
        "[node]\nname = \"n1\"\nagency = \"bank-a\"\n\
         [tls]\nca = \"ca.crt\"\ncert = \"node.crt\"\nkey = \"node.key\"\n\
         [p2p]\nlisten = \"127.0.0.1:0\"\n[sdk]\nlisten = \"127.0.0.1:0\"\n\n{rules}"
    );
    fs::write(path("amop.toml"), text).unwrap();
    Config::from_file(path("amop.toml"))
}

/// ACL-1
#[test]
fn the_rules_of_a_file_are_tried_in_their_order_and_have_their_lines() {
    // More than ten, so that an order by text would be another one.
    let others: String = (0..11)
        .map(|n| format!("[[acl]]\nwho = \"*\"\ntopics = \"t{n}\"\nallow = [\"publish\"]\n"))
        .collect();
    let last = "[[acl]]\nwho = [\"pay.sdk.bank-a.amop\", \"agency:bank-b\"]\ntopics = [\"t*\"]\n\
                allow = [\"file\", \"subscribe\"]\n";
    let config = read(&format!("{others}{last}")).unwrap();
    let rules = &config.node.access.rules;
    let pay = "pay.sdk.bank-a.amop".parse().unwrap();
    let decide = |topic: &str| {
        let topic = topic.parse().unwrap();
        (rules.deciding(&pay, &topic), rules.permissions(&pay, &topic))
    };
    let publish = Permissions { publish: true, subscribe: false, file: false };
    assert_eq!(decide("t10"), (Some(10), publish));
    assert_eq!(decide("t2"), (Some(2), publish));
    let all_but = Permissions { publish: false, ..Permissions::ALL };
    assert_eq!(decide("tea"), (Some(11), all_but));
    assert_eq!(decide("other"), (None, Permissions::default()));
    let lines: Vec<usize> = config.rules_at.iter().map(|place| place.line).collect();
    assert_eq!((lines[0], lines[2], lines[11]), (14, 22, 58));
    assert!(read("").unwrap().node.access.rules.is_empty());
}

/// IDENT-9
#[test]
fn who_may_link_and_attach_is_read_from_lists_or_single_names() {
    let config = read("allow = [\"agency:bank-a\"]\ndeny = \"bad.sdk.bank-a.amop\"\n").unwrap();
    let clients = &config.node.access.clients;
    let admits = |name: &str| clients.admits(&name.parse().unwrap());
    assert!(admits("app.sdk.bank-a.amop"));
    assert!(!admits("bad.sdk.bank-a.amop") && !admits("app.sdk.bank-b.amop"));
    assert!(config.node.access.peers.admits(&"n1.node.bank-b.amop".parse().unwrap()));
}

#[test]
fn what_is_wrong_with_a_rule_is_told_with_its_line_and_a_caret() {
    let rule = "[[acl]]\nwho = \"pay.bank-a\"\ntopics = []\nallow = [\"publsh\"]\n";
    let told = read(rule).unwrap_err().to_string();
    for part in [
        "`acl[0].who` is \"pay.bank-a\", and should be names such as",
        "amop.toml:14:7",
        "`acl[0].topics` is [], and should be topics such as",
        "`acl[0].allow` is [\"publsh\"], and should be a list of some of \"publish\"",
        "^^^^^^^^^^",
        "3 errors",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let told = read("[[acl]]\nwho = \"*\"\n[acl.x]\n").unwrap_err().to_string();
    for part in ["`acl[0].topics` is missing", "`acl[0].allow` is missing", "`acl[0].x`"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let told = read("[acl]\nwho = \"*\"\n").unwrap_err().to_string();
    assert!(told.contains("`acl` should be written as [[acl]]"), "{told}");
}

#[expect(clippy::disallowed_methods, reason = "certificates are issued as of today")]
fn now() -> SystemTime {
    SystemTime::now()
}
