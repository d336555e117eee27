//! Writes what fuzzing starts from: `cargo xtask fuzz --seed-corpora` calls it with the directory of the
//! corpora.
//!
//! Frames are drawn from the strategies that the tests of amop-wire use, one of each kind; the messages of
//! private topics are the honest ones. The same corpora come out each time, and what was added to them
//! stays.

mod configuration;
mod frames;
mod inputs;
#[path = "../../../../crates/amop-wire/tests/common/questions.rs"]
mod questions;
#[path = "../../../../crates/amop-wire/tests/common/strategies.rs"]
mod strategies;
#[path = "../../../../crates/amop-wire/tests/common/walk.rs"]
mod walk;

use std::fs;
use std::path::PathBuf;

use amop_auth::{Entropy, SecretKey};
use fuzz_targets::{Honest, TARGETS};

fn main() -> std::io::Result<()> {
    let corpora: PathBuf = std::env::args_os().nth(1).expect("the directory is named").into();
    for target in TARGETS {
        let directory = corpora.join(target.name);
        fs::create_dir_all(&directory)?;
        for (name, data) in seeds(target.name) {
            (target.one)(&data);
            fs::write(directory.join(format!("seed-{name}")), data)?;
        }
    }
    Ok(())
}

/// What the corpus of a target begins with, by name.
fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let honest = Honest::messages();
    let named = |name: &str, data: &[u8]| vec![(name.to_owned(), data.to_vec())];
    match target {
        "announcements" => frames::announcements(),
        "client_frames" => frames::client(),
        "node_frames" => frames::node(),
        "peer_frames" => frames::peer(),
        "file_frames" => frames::file(),
        "configuration" => configuration::texts(),
        "client_inputs" => inputs::client(),
        "node_inputs" => inputs::node(),
        "file_ends" => inputs::file(),
        "private_answer" => named("answer", &honest.answer),
        "private_challenge" => named("challenge", &honest.challenge),
        "private_confirmation" => named("confirmation", &honest.confirmation),
        "private_holds" => named("holds", &honest.holds),
        "private_lost" => named("lost", &honest.lost),
        "private_multicast" => named("multicast", &honest.multicast),
        "private_proof" => named("proof", &honest.proof),
        "private_unicast" => named("unicast", &honest.unicast),
        "topic_keys" => topic_keys(),
        other => panic!("{other} has no seeds"),
    }
}

fn topic_keys() -> Vec<(String, Vec<u8>)> {
    let key = SecretKey::generate(&mut Entropy::new([1; 32]));
    let public = key.public();
    let pem = public.to_pem();
    let texts = [("secret", &*key.to_pem()), ("public", &pem), ("hex", &public.to_string())];
    texts.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec())).into()
}
