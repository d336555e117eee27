//! Processes that receive a file are killed at any moment, and the next one goes on.
//!
//! The test starts itself as a child that receives from the same source on, and kills it once it has
//! said so many words; which words is drawn from a seed. It is no test of the usual kind since its
//! process must be able to be that child.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::UNIX_EPOCH;

use amop_files::{Folder, Prepared, Settings, Source, Wrote};
use amop_wire::FileOffer;
use amop_wire::limits::FILE_CHUNK_BYTES;

fn main() {
    match std::env::var_os(DIR_OF_CHILD) {
        Some(dir) => receive(Path::new(&dir)),
        None => (0..ROUNDS).for_each(kill_until_it_is_there),
    }
}

/// The child: receives what is missing, and says each offset that it goes on from, has written, or checked.
fn receive(dir: &Path) {
    let mut source = Source::open(&dir.join("big.bin"), &mut |_| {}).unwrap();
    let offer = offer(&source);
    let mut settings = Settings::default();
    settings.keep_free_bytes = 0;
    let folder = Folder::open(&dir.join("in"), settings).unwrap();
    say("opened", 0);
    let mut part = match folder.prepare(UNIX_EPOCH, &offer).unwrap() {
        Prepared::Part(part) => part,
        Prepared::AlreadyThere => return say("done", 0),
    };
    let mut start = part.kept();
    say("from", start);
    while start < offer.layout.stream_bytes() {
        let bytes = (offer.layout.part_at(start).end - start).min(PIECE_BYTES);
        let piece = source.read(start, usize::try_from(bytes).unwrap()).unwrap();
        let Wrote::Taken { .. } = part.write(start, &piece).unwrap() else { panic!("it is wrong") };
        start += bytes;
        say("wrote", start);
    }
    part.finish().unwrap();
    say("done", 0);
}

fn kill_until_it_is_there(round: u64) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("in")).unwrap();
    let content: Vec<u8> =
        (0..1_600_001_u32).flat_map(|word| (word * 5 + 0x0100_0001).to_le_bytes()).collect();
    std::fs::write(dir.path().join("big.bin"), &content).unwrap();
    let received = dir.path().join("in").join("big.bin");
    let mut random = round;
    let (mut wrote_before, mut deaths) = (0, 0);
    // What waits to be written at once, or a chunk, if the file system does not say what was written.
    let most = if tells_holes(dir.path()) { FILE_CHUNK_BYTES / 4 } else { FILE_CHUNK_BYTES };
    loop {
        let words = if deaths < DEATHS { draw(&mut random) % 60 } else { u64::MAX };
        let mut child = Kept::start(dir.path());
        let mut said = child.said();
        let mut is_done = false;
        for line in said.by_ref().take(usize::try_from(words).unwrap_or(usize::MAX)) {
            let line = line.unwrap();
            let (word, offset) = line.split_once(' ').unwrap();
            let offset: u64 = offset.parse().unwrap();
            match word {
                "from" => {
                    // The last piece may have been written and not yet told.
                    let lost = (wrote_before + PIECE_BYTES).checked_sub(offset);
                    let lost = lost.expect("it cannot have more than was written");
                    assert!(lost <= most + PIECE_BYTES, "{lost} bytes have to move twice");
                    wrote_before = offset;
                }
                "wrote" => wrote_before = offset,
                "done" => is_done = true,
                _ => {}
            }
            if is_done {
                // Done is said once the name is there, with everything behind it.
                assert!(std::fs::read(&received).unwrap() == content);
            }
        }
        child.kill();
        // What the child has said before it died, and nobody had read.
        for line in said.map_while(Result::ok) {
            if let Some(("wrote", offset)) = line.split_once(' ') {
                wrote_before = offset.parse().unwrap_or(wrote_before);
            }
        }
        match std::fs::read(&received) {
            Ok(there) => assert!(there == content, "half a file is visible"),
            Err(_) => assert!(!is_done, "done, and nothing there"),
        }
        if is_done {
            break println!("round {round}: there after {deaths} deaths");
        }
        deaths += 1;
    }
}

fn tells_holes(dir: &Path) -> bool {
    let file = std::fs::File::create(dir.join("holes")).unwrap();
    file.set_len(1 << 20).unwrap();
    rustix::fs::seek(&file, rustix::fs::SeekFrom::Hole(0)) == Ok(0)
}

/// A child that does not outlive its test.
struct Kept(Child);

impl Kept {
    fn start(dir: &Path) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let child = command.env(DIR_OF_CHILD, dir).stdout(Stdio::piped()).spawn();
        Self(child.unwrap())
    }

    fn said(&mut self) -> std::io::Lines<BufReader<std::process::ChildStdout>> {
        BufReader::new(self.0.stdout.take().unwrap()).lines()
    }

    /// As `kill -9` does.
    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn offer(source: &Source) -> FileOffer {
    let (from, topic) = ("app.sdk.bank-a.amop".parse().unwrap(), "reports".parse().unwrap());
    source.offer(source.id(), from, topic)
}

/// One line in one write, so that no half of one is left by who is killed.
fn say(word: &str, offset: u64) {
    std::io::stdout().write_all(format!("{word} {offset}\n").as_bytes()).unwrap();
}

/// A number out of a seed. (splitmix64)
fn draw(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

const DIR_OF_CHILD: &str = "AMOP_FILES_TEST_DIR";

const PIECE_BYTES: u64 = 65_536;

/// How many files are sent.
const ROUNDS: u64 = 4;

/// How many times a receiver of one file is killed.
const DEATHS: u32 = 6;
