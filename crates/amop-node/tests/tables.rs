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
    for limit in Key::all().iter().filter_map(|key| key.path.strip_prefix("limits.")) {
        let last = limit.rsplit('.').next().unwrap();
        let cells = [format!("| `{limit}` |"), format!("| `{last}` |")];
        assert!(cells.iter().any(|cell| text.contains(cell)), "{limit} is in a table of limits");
    }
}
