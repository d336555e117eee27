//! The section `[limits]`: what is taken, what is refused and where it stands, and what OPERATIONS says of it.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use amop_node::{Config, ConfigErrors, Limits, Pace, Rate, Rates};
use amop_p2p::Settings;
use amop_pki::{AgencyPlan, Consortium};
use amop_wire::limits;
use tempfile::TempDir;

const BASE: &str = r#"[node]
name = "n1"
agency = "bank-a"
[tls]
ca = "ca.crt"
cert = "node.crt"
key = "node.key"
[p2p]
listen = "127.0.0.1:30300"
[sdk]
listen = "127.0.0.1:20200"
"#;

/// In which line the limits begin.
const FIRST_LINE: usize = 12;

/// A directory with certificates.
struct Site(TempDir);

impl Site {
    #[expect(clippy::disallowed_methods, reason = "certificates are issued as of today")]
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let plan = [AgencyPlan { agency: "bank-a", nodes: &["n1"], clients: &[] }];
        let consortium = Consortium::new("Test", "amop", &plan, SystemTime::now()).unwrap();
        let node = consortium.node("bank-a", "n1").unwrap();
        let write = |file: &str, pem: &str| fs::write(dir.path().join(file), pem).unwrap();
        write("ca.crt", consortium.root().certificate_pem());
        write("node.crt", node.chain_pem());
        write("node.key", &node.key_pem());
        let private = fs::Permissions::from_mode(0o600);
        fs::set_permissions(dir.path().join("node.key"), private).unwrap();
        Self(dir)
    }

    fn read(&self, limits: &str) -> Result<Limits, ConfigErrors> {
        let path = self.0.path().join("amop.toml");
        fs::write(&path, format!("{BASE}{limits}")).unwrap();
        Config::from_file(path).map(|config| config.node.limits)
    }

    /// The error, with its cause.
    fn error(&self, limits: &str) -> String {
        self.read(limits).unwrap_err().in_one_line()
    }
}

#[test]
fn limits_are_read_with_their_units_and_are_the_usual_without_a_key() {
    let site = Site::new();
    let usual = site.read("").unwrap();
    assert_eq!(usual, Limits { memory_bytes: usual.memory_bytes, ..Limits::default() });
    let text = "[limits.session]\nbytes = \"10 MB/s\"\nmessages = \"1000/s\"\n\
                subscriptions = 7\nin_flight = 8\nin_flight_bytes = \"9 MB\"\n\
                [limits.agency]\nbytes = \"64KiB/s\"\nlinks = 10\ntransit = \"3 MB/s\"\n\
                [limits.node]\nbytes = \"2 GB/s\"\nbytes_burst = \"5 MB\"\n\
                messages = \"7/s\"\nmessages_burst = 20\nin_flight = 11\nlinks = 12\n\
                memory = \"64 MiB\"\nhandshakes = \"16/s\"\n\
                [limits.link]\nqueue = \"4 MiB\"\nqueue_messages = 13\n\
                files = \"2 MB/s\"\nfiles_burst = \"1 MB\"\n\
                [limits.address]\nhandshakes = \"14/s\"\nhandshakes_burst = 15\n";
    let rate = |per_second, burst| Some(Rate { per_second, burst });
    let expected = Limits {
        rates: Rates {
            session: Pace { bytes: rate(10_000_000, 10_000_000), messages: rate(1000, 1000) },
            agency: Pace { bytes: rate(65_536, 1 << 20), messages: None },
            node: Pace { bytes: rate(2_000_000_000, 5_000_000), messages: rate(7, 20) },
        },
        subscriptions: 7,
        in_flight: 8,
        in_flight_bytes: 9_000_000,
        in_flight_of_node: 11,
        memory_bytes: 64 << 20,
        transit: rate(3_000_000, 3_000_000),
        files: rate(2_000_000, 1_000_000),
        links: 12,
        links_per_agency: 10,
        handshakes_per_second_of_node: 16,
        handshakes_burst_of_node: 16,
        handshakes_per_second: 14,
        handshakes_burst: 15,
        queue_bytes: 4 << 20,
        queue_messages: 13,
        records: 1 << 16,
        failures: 1 << 14,
    };
    assert_eq!(site.read(text).unwrap(), expected);
}

/// Every key with the kind of its value.
const KEYS: [(&str, &str, Kind); 25] = [
    ("session", "bytes", Kind::Bytes),
    ("session", "bytes_burst", Kind::Size),
    ("session", "messages", Kind::Rate),
    ("session", "messages_burst", Kind::Burst),
    ("session", "subscriptions", Kind::Count(limits::SUBSCRIPTIONS_PER_CLIENT_MAX)),
    ("session", "in_flight", Kind::Count(limits::REQUESTS_PER_CLIENT_MAX)),
    ("session", "in_flight_bytes", Kind::Size),
    ("agency", "bytes", Kind::Bytes),
    ("agency", "bytes_burst", Kind::Size),
    ("agency", "messages", Kind::Rate),
    ("agency", "messages_burst", Kind::Burst),
    ("agency", "transit", Kind::Bytes),
    ("agency", "transit_burst", Kind::Size),
    ("agency", "links", Kind::Count(limits::LINKS_PER_NODE_MAX)),
    ("node", "bytes", Kind::Bytes),
    ("node", "bytes_burst", Kind::Size),
    ("node", "messages", Kind::Rate),
    ("node", "messages_burst", Kind::Burst),
    ("node", "in_flight", Kind::Count(limits::REQUESTS_PER_NODE_MAX)),
    ("node", "links", Kind::Count(limits::LINKS_PER_NODE_MAX)),
    ("node", "memory", Kind::Size),
    ("link", "queue", Kind::Size),
    ("link", "queue_messages", Kind::Count(limits::LINK_MESSAGES_MAX)),
    ("link", "files", Kind::Bytes),
    ("link", "files_burst", Kind::Size),
];

const HANDSHAKE_KEYS: [(&str, &str, Kind); 4] = [
    ("node", "handshakes", Kind::Rate),
    ("node", "handshakes_burst", Kind::Burst),
    ("address", "handshakes", Kind::Rate),
    ("address", "handshakes_burst", Kind::Burst),
];

#[derive(Clone, Copy)]
enum Kind {
    Bytes,
    Rate,
    Size,
    Burst,
    Count(usize),
}

impl Kind {
    /// Zero, negative, with an unknown unit or none, or more than there can be.
    fn wrong(self) -> Vec<String> {
        let all: &[&str] = match self {
            Self::Bytes => &["\"0 B/s\"", "\"-1 MB/s\"", "\"1 mbit/s\"", "\"1 MB\"", "7", "true"],
            Self::Rate => &["\"0/s\"", "\"-1/s\"", "\"5/min\"", "\"5\"", "5", "1.5"],
            Self::Size => {
                &["\"0 B\"", "\"-1 MB\"", "\"1 MBit\"", "\"64\"", "64", "\"9999999 GiB\""]
            }
            Self::Burst => &["0", "-1", "\"5\"", "1.5"],
            Self::Count(_) => &["0", "-1", "\"5\"", "1.5", "\"5 MB\""],
        };
        let more = if let Self::Count(most) = self { Some((most + 1).to_string()) } else { None };
        all.iter().map(ToString::to_string).chain(more).collect()
    }

    fn most(self) -> Option<String> {
        if let Self::Count(most) = self { Some(most.to_string()) } else { None }
    }
}

#[test]
fn every_limit_that_is_zero_negative_too_large_or_of_an_unknown_unit_is_refused_with_its_place() {
    let site = Site::new();
    for (section, key, kind) in KEYS.into_iter().chain(HANDSHAKE_KEYS) {
        // A burst needs its rate.
        let rate = match key.strip_suffix("_burst") {
            Some("bytes") => "bytes = \"1 MB/s\"\n",
            Some("transit") => "transit = \"1 MB/s\"\n",
            Some("files") => "files = \"1 MB/s\"\n",
            Some("messages") => "messages = \"1/s\"\n",
            Some(_) => "handshakes = \"1/s\"\n",
            None => "",
        };
        let line = FIRST_LINE + 1 + rate.lines().count();
        for value in kind.wrong() {
            let told = site.error(&format!("[limits.{section}]\n{rate}{key} = {value}\n"));
            let place = format!("amop.toml:{line}:");
            let sentence = format!(": `limits.{section}.{key}` is {value}, ");
            assert!(told.contains(&place) && told.contains(&sentence), "{sentence}: {told}");
            assert_eq!(told.matches("amop.toml:").count(), 1, "nothing else is wrong: {told}");
        }
        if let Some(most) = kind.most() {
            site.read(&format!("[limits.{section}]\n{key} = {most}\n")).unwrap();
        }
    }
}

#[test]
fn what_no_limit_can_mean_is_refused_too() {
    let site = Site::new();
    let wrong = [
        ("session", "bytes_burst = \"1 MB\"", "should be `bytes` beside it"),
        ("session", "messages_burst = 5", "should be `messages` beside it"),
        ("agency", "transit_burst = \"1 MB\"", "should be `transit` beside it"),
        ("link", "files_burst = \"1 MB\"", "should be `files` beside it"),
        ("node", "handshakes_burst = 5", "should be `handshakes` beside it"),
        ("address", "handshakes_burst = 5", "should be `handshakes` beside it"),
        ("session", "mbit = 5", "unknown key `limits.session.mbit`"),
        ("nodes", "links = 5", "unknown key `limits.nodes`"),
        ("node", "memory = \"1 MiB\"", "of at least 16777216 bytes"),
        ("link", "queue = \"1 MiB\"", "of at least 2097152 bytes"),
    ];
    for (section, line, sentence) in wrong {
        let told = site.error(&format!("[limits.{section}]\n{line}\n"));
        assert!(told.contains(sentence), "{line}: {told}");
    }
}

/// The rows of a table of OPERATIONS, each with its cells.
fn rows(heading: &str) -> Vec<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/OPERATIONS.md");
    let text = fs::read_to_string(path).unwrap();
    let (_, table) = text.split_once(heading).unwrap_or_else(|| panic!("no table {heading}"));
    let (table, _) = table.split_once("\n\n").unwrap();
    let cells = |line: &str| line.split('|').skip(1).map(|cell| cell.trim().to_owned()).collect();
    table.lines().skip(2).map(cells).collect()
}

fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<&[u8]> = digits.as_bytes().rchunks(3).rev().collect();
    String::from_utf8(groups.join(&b","[..])).unwrap()
}

/// How many bytes those are, and how many of a usual length: 24 bytes and their text each.
fn topics_of_one_node() -> String {
    let most = limits::TOPIC_SET_BYTES_MAX;
    let of_16_letters = grouped(most / (24 + 16) / 1000 * 1000);
    format!("{} KiB: some {of_16_letters} of 16 letters", most >> 10)
}

/// The one table of all limits says what the code does, and names every key.
#[test]
fn the_table_of_limits_names_the_limits_that_hold() {
    let table = rows("| what | key | limit | past it |");
    let seconds = |span: Duration| format!("{} s", span.as_secs());
    let mebibytes = |bytes: usize| format!("{} MiB", bytes >> 20);
    let (usual, links) = (Limits::default(), Settings::default());
    let expected = [
        ("payload of a message", mebibytes(limits::PAYLOAD_BYTES_MAX)),
        ("length of a topic", format!("{} B", limits::TOPIC_BYTES_MAX)),
        (
            "time that a publish may take",
            format!("{} s", grouped(usize::try_from(limits::TTL_MAX.as_secs()).unwrap())),
        ),
        ("links between nodes that a message crosses", grouped(limits::HOPS_MAX)),
        ("subscriptions of one client", grouped(usual.subscriptions)),
        ("topics watched by one client", grouped(limits::WATCHES_PER_CLIENT_MAX)),
        (
            "subscribers of a topic that one who watches it is told of",
            grouped(limits::WATCHED_SUBSCRIBERS_MAX),
        ),
        (
            "publishes of one client without an end, of both modes together",
            grouped(usual.in_flight),
        ),
        ("payload of these, if unicasts", mebibytes(usual.in_flight_bytes)),
        ("publishes of all clients without an end", grouped(usual.in_flight_of_node)),
        ("multicasts to one client without an ack", grouped(limits::UNACKED_PER_CLIENT_MAX)),
        ("topics of one node, as others are told of them", topics_of_one_node()),
        ("nodes of a network", grouped(limits::NODES_MAX)),
        ("authorities whose revocation lists are known", grouped(limits::AUTHORITIES_MAX)),
        ("revocation lists of peers, together", mebibytes(limits::LEARNED_BYTES_MAX)),
        ("links of one node", grouped(usual.links)),
        ("links of one agency", grouped(usual.links_per_agency)),
        ("bytes that wait for one link", mebibytes(usual.queue_bytes)),
        ("messages that wait for one link", grouped(usual.queue_messages)),
        ("control messages that wait for one link", mebibytes(2 * usual.queue_bytes)),
        ("held for others altogether", mebibytes(usual.memory_bytes)),
        ("links begun at one port a second", grouped(usual.handshakes_per_second_of_node as usize)),
        ("links begun at one port at once", grouped(usual.handshakes_burst_of_node as usize)),
        ("links begun by one address a second", grouped(usual.handshakes_per_second as usize)),
        ("links begun by one address at once", grouped(usual.handshakes_burst as usize)),
        ("addresses whose handshakes are counted", grouped(limits::ADDRESSES_MAX)),
        ("newcomers that wait at one port to be looked at", grouped(limits::INCOMING_MAX)),
        ("bytes of one of them", format!("{} KiB", limits::INCOMING_BYTES_MAX >> 10)),
        ("bytes of all of them", format!("{} MiB", limits::ALL_INCOMING_BYTES_MAX >> 20)),
        ("handshakes half open, unproved", grouped(limits::HALF_OPEN_UNPROVED_MAX)),
        ("connections at one port that are no links", grouped(limits::UNLINKED_MAX)),
        ("payload a second that is passed on for the peers of one agency", "no limit".into()),
        ("passed on for them at once after a pause", "one second's worth, 1 MiB at least".into()),
        ("bytes of files a second on one link", "no limit".into()),
        ("bytes of files at once after a pause", "one second's worth, 1 MiB at least".into()),
        ("handshake", seconds(links.handshake_timeout)),
        ("a link whose peer takes nothing", seconds(links.stall_timeout)),
        (
            "half a frame",
            format!("{} without 16 KiB more of it", seconds(links.half_frame_timeout)),
        ),
        ("files on one link at a time", grouped(limits::TRANSFERS_MAX)),
        ("bytes of one file held by a node", format!("{} MiB", limits::FILE_WINDOW_BYTES >> 20)),
        (
            "bytes of one file on their way",
            format!("{} MiB", limits::FILE_IN_FLIGHT_BYTES_MAX >> 20),
        ),
        ("length of a file", format!("{} GiB", limits::FILE_BYTES_MAX >> 30)),
        ("receivers of a file for all", grouped(limits::FILE_RECEIVERS_MAX)),
        ("steps of messages kept", grouped(usual.records)),
        ("steps of failures kept", grouped(usual.failures)),
        ("steps in one answer to a trace", grouped(limits::STEPS_PER_ANSWER_MAX)),
        ("subscribers in one answer to a probe", grouped(limits::SUBSCRIBERS_PER_ANSWER_MAX)),
    ];
    for (what, limit) in &expected {
        let row = table.iter().find(|row| row[0] == *what);
        let row = row.unwrap_or_else(|| panic!("no row {what}"));
        assert_eq!(&row[2], limit, "{what}");
    }
    let untold: Vec<&String> = table
        .iter()
        .map(|row| &row[0])
        .filter(|what| expected.iter().all(|(expected, _)| *expected != what.as_str()))
        .collect();
    let told_elsewhere = [
        "greeting on a link",
        "files that a node passes on at a time",
        "agencies whose rate is remembered",
        "parties with a line in the log",
        "questions of other nodes, for traces and for probes",
        "traces, and probes, under way",
        "connections to the admin socket, and to its port",
    ];
    assert_eq!(untold, told_elsewhere, "a row that nothing holds against the code");

    let keyed: Vec<&str> = table.iter().map(|row| row[1].trim_matches('`')).collect();
    let rates = ["bytes", "bytes_burst", "messages", "messages_burst"];
    for (section, key, _) in KEYS.into_iter().chain(HANDSHAKE_KEYS) {
        let name = format!("{section}.{key}");
        assert!(rates.contains(&key) || keyed.contains(&name.as_str()), "no row has `{name}`");
    }
}
