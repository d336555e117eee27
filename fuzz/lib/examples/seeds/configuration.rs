//! Configurations: one with every section, one with rules, and one in which much is wrong.

use crate::frames::Seeds;

pub(crate) fn texts() -> Seeds {
    let texts = [("whole", WHOLE), ("rules", RULES), ("wrong", WRONG)];
    texts.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec())).into()
}

const WHOLE: &str = r#"[node]
name = "n1"
agency = "bank-a"
state_dir = "state"
workers = 2
[tls]
ca = "ca.crt"
cert = "node.crt"
key = "node.key"
crl = "crl"
[p2p]
listen = "0.0.0.0:30300"
[[p2p.peer]]
name = "n1.node.bank-b.amop"
addr = ["198.51.100.9:30300"]
[sdk]
listen = "0.0.0.0:20200"
[limits.session]
bytes = "10 MB/s"
bytes_burst = "5 MB"
messages = "1000/s"
messages_burst = 20
in_flight = 8
in_flight_bytes = "9 MB"
[limits.agency]
transit = "3 MB/s"
links = 10
[limits.node]
memory = "64 MiB"
handshakes = "16/s"
[limits.link]
queue = "4 MiB"
queue_messages = 13
files = "2 MB/s"
[limits.address]
handshakes_burst = 15
[log]
level = "amop_p2p=debug,info"
format = "json"
"#;

const RULES: &str = r#"[[acl]]
who = "payments.sdk.bank-a.amop"
topics = ["quote", "settle/*"]
allow = ["publish", "subscribe", "file"]
[[acl]]
who = ["agency:bank-b", "*.sdk.bank-c.amop"]
topics = "*"
allow = ["subscribe"]
"#;

const WRONG: &str = r#"[node]
name = 7
agancy = "bank-a"
[node.x]
[limits.session]
bytes = "10 parsecs/s"
messages = "0/s"
in_flight = -1
[limits.node]
memory = "99999999 GiB"
[[log]]
level = "\u00e9"
"#;
