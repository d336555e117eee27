//! Files that are sent, and change while they are.

use std::io::Write;
use std::os::unix::fs::FileExt;

use amop_files::{Source, SourceError};
use amop_wire::Reason;
use amop_wire::limits::FILE_CHUNK_BYTES;

use crate::common::{Scene, offer};

const CHUNK: u64 = FILE_CHUNK_BYTES;

/// What `sha256sum` prints for `abc`.
#[test]
fn the_hash_is_the_one_that_everybody_knows() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("abc.txt"), "abc").unwrap();
    let source = Source::open(&dir.path().join("abc.txt"), &mut |_| {}).unwrap();
    let hash: String = offer(&source).sha256.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(offer(&source).label.as_str(), "abc.txt");
}

#[test]
fn hashing_tells_how_far_it_is() {
    let scene = Scene::new(2 * CHUNK + 5);
    let mut told = Vec::new();
    Source::open(&scene.dir.path().join("big.bin"), &mut |bytes| told.push(bytes)).unwrap();
    assert_eq!(told, [CHUNK, 2 * CHUNK, 2 * CHUNK + 5]);
}

#[test]
fn a_file_that_changes_is_noticed_before_a_byte_of_the_change_leaves() {
    let mut scene = Scene::new(3 * CHUNK);
    let list = 3 * 32;
    let path = scene.dir.path().join("big.bin");
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    scene.source.read(list, 10).unwrap();
    file.write_all_at(b"changed", CHUNK + 100_000).unwrap();
    let error = scene.source.read(list + CHUNK, 10).unwrap_err();
    assert!(matches!(error, SourceError::Changed));
    assert_eq!(error.reason(), Reason::FileChanged);
    scene.source.read(list + 2 * CHUNK, 10).unwrap();
    file.set_len(2 * CHUNK + 7).unwrap();
    scene.source.read(list, 10).unwrap();
    assert!(matches!(scene.source.read(list + 2 * CHUNK, 10).unwrap_err(), SourceError::Changed));
}

#[test]
fn a_file_that_changes_while_it_is_hashed_is_not_sent() {
    let scene = Scene::new(3 * CHUNK);
    let path = scene.dir.path().join("big.bin");
    let mut log = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    let opened = Source::open(&path, &mut |_| log.write_all(b"one more line").unwrap());
    assert!(matches!(opened.unwrap_err(), SourceError::Changed));
}

#[test]
fn what_is_no_ordinary_file_or_has_a_bad_name_is_not_sent() {
    let dir = tempfile::tempdir().unwrap();
    let open = |name: &str| Source::open(&dir.path().join(name), &mut |_| {}).unwrap_err();
    std::fs::create_dir(dir.path().join("sub")).unwrap();
    assert!(matches!(open("sub"), SourceError::NotAFile));
    assert!(matches!(open("missing"), SourceError::Unreadable(_)));
    std::fs::write(dir.path().join("a\tb"), "").unwrap();
    assert!(matches!(open("a\tb"), SourceError::BadName(_)));
    assert!(matches!(open(".."), SourceError::BadName(_)));
}

/// The label is the last component, whatever the path is.
#[test]
fn the_name_on_the_wire_is_never_a_path() {
    let scene = Scene::new(1);
    let path = scene.dir.path().join("in").join("..").join("big.bin");
    let source = Source::open(&path, &mut |_| {}).unwrap();
    assert_eq!(offer(&source).label.as_str(), "big.bin");
}
