//! Keeps the world out of the sources of pure crates: no I/O, no clock, no thread, no `async`.
//!
//! A dependency on a runtime is caught by the [layers]; the standard library has doors to the
//! world too, and those show in the source alone. Tests of pure crates obey as well: all that they
//! need is values, the moments of `amop_wire::Instant` among them.

use super::{
    Finding,
    code::{is_word, line_at, lines_with},
    layers,
    tree::SourceFile,
};

/// Finds what has no place in a file of a pure crate.
pub(super) fn impurities(file: &SourceFile) -> Vec<Finding> {
    if !is_in_pure_crate(&file.path) {
        return Vec::new();
    }
    let words = WORDS.iter().flat_map(|&word| {
        let lines = lines_with(&file.code, word).into_iter();
        lines.map(move |line| (line, word.to_owned()))
    });
    let modules = STD_MODULES.iter().flat_map(|module| {
        let path = format!("std::{module}");
        lines_with(&file.code, &path).into_iter().map(move |line| (line, path.clone()))
    });
    words
        .chain(modules)
        .chain(grouped_modules(&file.code))
        .map(|(line, word)| {
            let wrong = format!("`{word}` in a pure crate");
            Finding::new(&file.path, line, wrong, "let a driver do it and hand in the value")
        })
        .collect()
}

fn is_in_pure_crate(path: &str) -> bool {
    let crate_name = path.strip_prefix("crates/").and_then(|rest| rest.split('/').next());
    crate_name.is_some_and(layers::is_pure)
}

/// Finds modules inside the braces of `use std::{env, fs::File}`.
fn grouped_modules(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (start, opening) in code.match_indices("std::{") {
        for name in top_level_names(&code[start + opening.len()..]) {
            if STD_MODULES.contains(&name) {
                found.push((line_at(code, start), format!("std::{name}")));
            }
        }
    }
    found
}

/// Takes the first word of each entry up to the brace that closes the group.
fn top_level_names(group: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut entry_start = 0;
    let mut depth = 0_usize;
    for (at, char) in group.char_indices() {
        match char {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            '}' | ',' if depth == 0 => {
                let mut words = group[entry_start..at].split(|char| !is_word(char));
                names.extend(words.find(|word| !word.is_empty()));
                entry_start = at + 1;
                if char == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    names
}

const WORDS: &[&str] = &[
    ".await",
    "SystemTime",
    "async",
    "rand::random",
    "rand::rng",
    "thread_rng",
    "tokio",
    "Instant::now",
];

/// The doors of the standard library to the world.
const STD_MODULES: &[&str] = &["env", "fs", "net", "process", "thread"];

#[cfg(test)]
mod tests {
    use super::{SourceFile, impurities};

    #[test]
    fn a_core_that_takes_all_as_values_gives_no_finding() {
        let text = "//! No std::net here.\nuse std::{collections::BTreeMap, time::Instant};\n\
                    // Unlike Instant::now, this is handed in.\n\
                    fn handle(now: Instant) { log(\"tokio\"); /* async fn */ }\n\
                    fn threaded_environment(std: network::Net) {}\n";
        assert_eq!(findings("crates/amop-core/src/lib.rs", text), [] as [String; 0]);
    }

    #[test]
    fn each_door_to_the_world_is_found() {
        for (code, word) in [
            ("use std::net::SocketAddr;", "std::net"),
            ("std::fs::read(path)", "std::fs"),
            ("use std::time::{Duration, SystemTime};", "SystemTime"),
            ("let now = Instant::now();", "Instant::now"),
            ("std::thread::spawn(work)", "std::thread"),
            ("use tokio::sync::mpsc;", "tokio"),
            ("pub async fn run() {}", "async"),
            ("answer.await", ".await"),
            ("let mut random = rand::thread_rng();", "thread_rng"),
            ("let mut random = rand::rng();", "rand::rng"),
            ("std::env::var(name)", "std::env"),
            ("std::process::exit(1)", "std::process"),
        ] {
            for path in ["crates/amop-wire/src/a.rs", "crates/amop-sim/tests/a.rs"] {
                let text = format!("//! Text.\n\"//\"; {code} // why");
                assert_eq!(findings(path, &text), [format!("2: `{word}` in a pure crate")]);
            }
            let elsewhere = format!("//! Text.\n{code}");
            assert_eq!(findings("crates/amop-node/src/a.rs", &elsewhere), [] as [String; 0]);
        }
    }

    #[test]
    fn a_door_in_a_group_of_imports_is_found() {
        let text = "use std::{\n    collections::{env, BTreeMap},\n    fs as files, net::{self, \
                    IpAddr},\n    thread\n};\nuse std::fmt::{env};";
        assert_eq!(
            findings("crates/amop-core/src/a.rs", text),
            [
                "1: `std::fs` in a pure crate",
                "1: `std::net` in a pure crate",
                "1: `std::thread` in a pure crate"
            ]
        );
    }

    fn findings(path: &str, text: &str) -> Vec<String> {
        let findings = impurities(&SourceFile::new(path, text));
        findings.iter().map(|finding| format!("{}: {}", finding.line, finding.wrong)).collect()
    }
}
