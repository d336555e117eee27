//! Replays what fuzzing starts from and what it ever found, without a fuzzer.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use fuzz_targets::{Honest, TARGETS, one};

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn names(directory: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(fuzz().join(directory)).unwrap();
    let stem = |path: PathBuf| path.file_stem().unwrap().to_string_lossy().into_owned();
    entries.map(|entry| stem(entry.unwrap().path())).collect()
}

#[test]
fn every_target_takes_every_file_of_its_corpus() {
    for target in TARGETS {
        let mut files = 0;
        for entry in fs::read_dir(fuzz().join("corpus").join(target.name)).unwrap() {
            let path = entry.unwrap().path();
            let data = fs::read(&path).unwrap();
            println!("{}", path.display()); // What a panic is about.
            one(target.name, &data);
            files += 1;
        }
        assert!(files > 0, "{} has no corpus: cargo xtask fuzz --seed-corpora", target.name);
    }
}

#[test]
fn every_target_has_a_program_and_a_corpus_and_nothing_else_has() {
    let listed: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    assert_eq!(names("fuzz_targets"), listed);
    assert_eq!(names("corpus"), listed);
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    for name in &listed {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
    }
}

/// PRIV-3, PRIV-6, PRIV-10 to PRIV-12: each target judges by the honest message, so that has to be taken,
/// and those one bit away from it must not be.
#[test]
fn of_each_message_of_a_private_topic_only_the_honest_one_is_taken() {
    let honest = Honest::messages();
    let all = [
        ("private_answer", &honest.answer),
        ("private_challenge", &honest.challenge),
        ("private_confirmation", &honest.confirmation),
        ("private_holds", &honest.holds),
        ("private_lost", &honest.lost),
        ("private_multicast", &honest.multicast),
        ("private_proof", &honest.proof),
        ("private_unicast", &honest.unicast),
    ];
    for (name, _) in all {
        for (_, message) in all {
            one(name, message);
        }
    }
    for (name, message) in all {
        for bit in (0..message.len()).flat_map(|byte| [8 * byte, 8 * byte + 7]) {
            let mut changed = message.to_vec();
            changed[bit / 8] ^= 1 << (bit % 8);
            one(name, &changed);
        }
        one(name, &message[1..]);
        one(name, &[message, &[0][..]].concat());
    }
}
