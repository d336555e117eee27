//! The keys themselves, in the order of the documentation.

use amop_p2p::{CipherSuite, KeyExchange};

use super::Absent::{self, Meaning, Required, Value};
use super::When::{self, Reload, Start};
use super::{Key, Kind};

pub(super) static KEYS: &[Key] = &[
    key("node.name", Kind::Label, Required, Start, "label of the node within its agency"),
    key("node.agency", Kind::Label, Required, Start, "the institution"),
    key("node.domain", Kind::Domain, Value("\"amop\""), Start, "the consortium's suffix"),
    key(
        "node.state_dir",
        Kind::Path,
        Meaning("DNS name of the node with `.state`"),
        Start,
        "directory of this node alone, for its epoch",
    ),
    key(
        "node.workers",
        Kind::Number(1, crate::node::WORKERS_MAX as u64),
        Value("1"),
        Start,
        "on how many threads the packets of links are sealed, opened and sent",
    ),
    key("tls.ca", Kind::Path, Required, Reload, "PEM with one root or several"),
    key(
        "tls.cert",
        Kind::Path,
        Required,
        Reload,
        "PEM, leaf first; at most 4 certificates of 16 KiB together, since all nodes get them",
    ),
    key(
        "tls.key",
        Kind::Path,
        Required,
        Reload,
        "PEM, PKCS#8; refused if group or others may read it",
    ),
    key(
        "tls.key_password_file",
        Kind::Path,
        Meaning("the key is not encrypted"),
        Reload,
        "the password of the key is its first line; refused if group or others may read it, unless it is a credential of systemd",
    ),
    key(
        "tls.crl",
        Kind::Path,
        Meaning("nobody is revoked"),
        Reload,
        "PEM: a file with one revocation list or several, or a directory with files `*.crl`, which may be empty",
    ),
    key(
        "tls.stale_crl",
        Kind::Word(&["refuse", "accept"]),
        Value("\"refuse\""),
        Reload,
        "a list past its end refuses all whom its authority has certified; with `accept` it goes on to count",
    ),
    key(
        "tls.cipher_suites",
        Kind::Words(&CipherSuite::NAMES),
        Value(
            "[\"TLS13_AES_128_GCM_SHA256\", \"TLS13_AES_256_GCM_SHA384\", \"TLS13_CHACHA20_POLY1305_SHA256\"]",
        ),
        Start,
        "how links may be encrypted, the most wanted first; no link with whom none is common",
    ),
    key(
        "tls.key_exchange",
        Kind::Words(&KeyExchange::NAMES),
        Value("[\"X25519MLKEM768\", \"X25519\", \"secp256r1\"]"),
        Start,
        "how links may agree on keys, the most wanted first; no link with whom none is common",
    ),
    key(
        "p2p.listen",
        Kind::Socket,
        Required,
        Start,
        "UDP address for other nodes; port 0 takes any, the log says which",
    ),
    key("p2p.allow", Kind::Names, Meaning("everybody"), Reload, "which nodes may link"),
    key("p2p.deny", Kind::Names, Meaning("nobody"), Reload, "which may not, whatever `allow` says"),
    key("p2p.peer.name", Kind::NodeName, Required, Start, "DNS name of a peer to dial"),
    key("p2p.peer.addr", Kind::Hosts, Required, Start, "where to dial it; tried in order"),
    key("sdk.listen", Kind::Socket, Required, Start, "UDP address for clients"),
    key("sdk.allow", Kind::Names, Meaning("everybody"), Reload, "which clients may attach"),
    key("sdk.deny", Kind::Names, Meaning("nobody"), Reload, "which may not, whatever `allow` says"),
    limit(
        "limits.session.bytes",
        "a rate such as \"10 MB/s\"",
        "no limit",
        "payload a second that one client process may publish",
    ),
    limit(
        "limits.session.bytes_burst",
        "a size such as \"64 MiB\"",
        "one second's worth, 1 MiB at least",
        "payload at once after a pause",
    ),
    limit(
        "limits.session.messages",
        "a rate such as \"1000/s\"",
        "no limit",
        "messages a second that one client process may publish",
    ),
    limit(
        "limits.session.messages_burst",
        "a whole number, at least 1",
        "one second's worth",
        "messages at once after a pause",
    ),
    limit(
        "limits.session.subscriptions",
        "a whole number, at least 1",
        "1,024, the most",
        "subscriptions of one client",
    ),
    limit(
        "limits.session.in_flight",
        "a whole number, at least 1",
        "16,384, the most",
        "publishes of one client without an end",
    ),
    limit(
        "limits.session.in_flight_bytes",
        "a size such as \"64 MiB\"",
        "16 MiB",
        "payload of the unicasts of one client without an end",
    ),
    limit(
        "limits.agency.bytes",
        "a rate such as \"10 MB/s\"",
        "no limit",
        "payload a second that all clients of one institution together may publish",
    ),
    limit(
        "limits.agency.bytes_burst",
        "a size such as \"64 MiB\"",
        "one second's worth, 1 MiB at least",
        "payload at once after a pause",
    ),
    limit(
        "limits.agency.messages",
        "a rate such as \"1000/s\"",
        "no limit",
        "messages a second that all clients of one institution together may publish",
    ),
    limit(
        "limits.agency.messages_burst",
        "a whole number, at least 1",
        "one second's worth",
        "messages at once after a pause",
    ),
    limit(
        "limits.agency.transit",
        "a rate such as \"10 MB/s\"",
        "no limit",
        "payload a second that is passed on to other nodes for the peers of one institution together",
    ),
    limit(
        "limits.agency.transit_burst",
        "a size such as \"64 MiB\"",
        "one second's worth, 1 MiB at least",
        "payload at once after a pause",
    ),
    limit(
        "limits.agency.links",
        "a whole number, at least 1",
        "16,384, the most",
        "links of one institution",
    ),
    limit(
        "limits.node.bytes",
        "a rate such as \"10 MB/s\"",
        "no limit",
        "payload a second that all clients of the node together may publish",
    ),
    limit(
        "limits.node.bytes_burst",
        "a size such as \"64 MiB\"",
        "one second's worth, 1 MiB at least",
        "payload at once after a pause",
    ),
    limit(
        "limits.node.messages",
        "a rate such as \"1000/s\"",
        "no limit",
        "messages a second that all clients of the node together may publish",
    ),
    limit(
        "limits.node.messages_burst",
        "a whole number, at least 1",
        "one second's worth",
        "messages at once after a pause",
    ),
    limit(
        "limits.node.in_flight",
        "a whole number, at least 1",
        "262,144, the most",
        "publishes of all clients without an end",
    ),
    limit(
        "limits.node.links",
        "a whole number, at least 1",
        "16,384, the most",
        "links of the node",
    ),
    limit(
        "limits.node.memory",
        "a size such as \"64 MiB\"",
        "1 GiB, and half of what the machine has at most",
        "what the node holds for others altogether",
    ),
    limit(
        "limits.node.handshakes",
        "a rate such as \"1000/s\"",
        "2,000/s",
        "links that may be begun a second at each port",
    ),
    limit(
        "limits.node.handshakes_burst",
        "a whole number, at least 1",
        "16,384",
        "links that may be begun at once at each port after a pause",
    ),
    key(
        "limits.link.queue",
        Kind::Limit("a size such as \"64 MiB\""),
        Meaning("8 MiB"),
        Start,
        "bytes that wait for one link",
    ),
    key(
        "limits.link.queue_messages",
        Kind::Limit("a whole number, at least 1"),
        Meaning("65,536, the most"),
        Start,
        "messages that wait for one link",
    ),
    limit(
        "limits.link.files",
        "a rate such as \"10 MB/s\"",
        "no limit",
        "bytes of files a second on each link",
    ),
    limit(
        "limits.link.files_burst",
        "a size such as \"64 MiB\"",
        "one second's worth, 1 MiB at least",
        "bytes of files at once after a pause",
    ),
    limit(
        "limits.address.handshakes",
        "a rate such as \"1000/s\"",
        "200/s",
        "links that one address may begin a second",
    ),
    limit(
        "limits.address.handshakes_burst",
        "a whole number, at least 1",
        "1,000",
        "links that one address may begin at once after a pause",
    ),
    key(
        "acl.who",
        Kind::Names,
        Required,
        Reload,
        "whom a rule is about: names such as `pay.sdk.bank-a.amop`, `*` for any part of one, `agency:bank-a`, or `*` for all",
    ),
    key(
        "acl.topics",
        Kind::Topics,
        Required,
        Reload,
        "which topics it is about; a `*` stands for any characters",
    ),
    key(
        "acl.allow",
        Kind::Set(&["publish", "subscribe", "file"]),
        Required,
        Reload,
        "what it permits them to do there; all else it refuses",
    ),
    key(
        "admin.socket",
        Kind::Path,
        Meaning("`admin.sock` in the state directory"),
        Start,
        "unix socket of the admin interface, mode 0600; at most 107 bytes long",
    ),
    key(
        "admin.listen",
        Kind::Loopback,
        Meaning("none"),
        Start,
        "TCP address on loopback where everybody on the machine may look, and scrape metrics",
    ),
    key(
        "log.level",
        Kind::Filter,
        Value("\"info\""),
        Start,
        "filter in the syntax of tracing's `EnvFilter`",
    ),
    key(
        "log.format",
        Kind::Word(&["text", "json"]),
        Value("\"text\""),
        Start,
        "lines for people, or one JSON object a line",
    ),
    room("trace.records", Value("65536"), "steps kept; 64 B each"),
    room("trace.failures", Value("16384"), "of failures; 64 B each"),
];

const fn key(
    path: &'static str,
    kind: Kind,
    default: Absent,
    when: When,
    meaning: &'static str,
) -> Key {
    Key { path, kind, default, when, meaning }
}

/// A limit that counts from the next reload on.
const fn limit(
    path: &'static str,
    wanted: &'static str,
    default: &'static str,
    meaning: &'static str,
) -> Key {
    key(path, Kind::Limit(wanted), Meaning(default), Reload, meaning)
}

/// How many records there is room for.
const fn room(path: &'static str, default: Absent, meaning: &'static str) -> Key {
    key(path, Kind::Number(0, 1 << 24), default, Reload, meaning)
}
