//! The tables in OPERATIONS say what the code does.

use std::fs;

use amop_node::{Absent, Key, When};

#[test]
fn the_table_of_keys_in_operations_has_every_key_with_its_default_and_its_meaning() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/OPERATIONS.md");
    let text = fs::read_to_string(path).unwrap();
    let (_, table) = text.split_once("| key | default | counts from | meaning |\n").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let rows: Vec<&str> = table.lines().skip(1).collect();
    // Limits have a table of their own, once for three sections.
    let keys = Key::all().iter().filter(|key| !key.path.starts_with("limits."));
    let expected: Vec<String> = keys
        .map(|Key { path, default, when, meaning, .. }| {
            let default = match default {
                Absent::Required => "*required*".to_owned(),
                Absent::Value(value) => format!("`{}`", value.trim_matches('"')),
                Absent::Meaning(meaning) => (*meaning).to_owned(),
            };
            let when = match when {
                When::Reload => "reload",
                When::Start => "start",
            };
            format!("| `{path}` | {default} | {when} | {meaning} |")
        })
        .collect();
    assert_eq!(rows, expected, "expected:\n{}", expected.join("\n"));
    for key in Key::all().iter().filter(|key| key.path.starts_with("limits.session.")) {
        let last = key.path.rsplit('.').next().unwrap();
        assert!(text.contains(&format!("| `{last}` |")), "{last} is in the table of limits");
    }
}

#[test]
fn the_table_of_limits_names_the_limits_that_hold() {
    use amop_wire::limits;

    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/OPERATIONS.md");
    let text = fs::read_to_string(path).unwrap();
    let (_, table) = text.split_once("| what | limit | past it |").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let limit = |what: &str| {
        let row = table.lines().find(|line| line.starts_with(&format!("| {what} |")));
        row.unwrap_or_else(|| panic!("no row {what}")).split('|').nth(2).unwrap().trim().to_owned()
    };
    let grouped = |number: usize| {
        let digits = number.to_string();
        let groups: Vec<&[u8]> = digits.as_bytes().rchunks(3).rev().collect();
        String::from_utf8(groups.join(&b","[..])).unwrap()
    };
    assert_eq!(limits::PAYLOAD_BYTES_MAX, 1 << 20);
    assert_eq!(limit("payload of a message"), "1 MiB");
    let numbers = [
        ("subscriptions of one client", grouped(limits::SUBSCRIPTIONS_PER_CLIENT_MAX)),
        (
            "publishes of one client, of all clients, without an end",
            [limits::REQUESTS_PER_CLIENT_MAX, limits::REQUESTS_PER_NODE_MAX]
                .map(grouped)
                .join(", "),
        ),
        (
            "multicast deliveries of one client without an ack",
            grouped(limits::UNACKED_PER_CLIENT_MAX),
        ),
        ("topics of one node", grouped(limits::TOPICS_PER_NODE_MAX)),
        ("nodes of a network", grouped(limits::NODES_MAX)),
    ];
    for (what, number) in numbers {
        assert_eq!(limit(what), number, "{what}");
    }
}
