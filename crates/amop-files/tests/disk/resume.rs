//! What is there after anything, and what is seen of it.

use std::os::unix::fs::FileExt;
use std::time::UNIX_EPOCH;

use amop_files::{PartError, Prepared, RefusedFile, Wrote};
use amop_wire::limits::FILE_CHUNK_BYTES;
use amop_wire::{FileId, Reason};
use rustix::fs::FallocateFlags;
use rustix::io::Errno;

use crate::common::{Scene, content, names, prepare, refused, tells_holes};

const CHUNK: u64 = FILE_CHUNK_BYTES;

#[test]
fn files_of_every_ordinary_size_arrive_and_leave_nothing_beside_them() {
    for size in [0, 1, 65_536, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 77] {
        let mut scene = Scene::new(size);
        let mut part = prepare(&scene.folder(), UNIX_EPOCH, &scene.offer);
        let all = scene.stream_bytes();
        scene.receive(&mut part, all);
        assert_eq!(part.finish().unwrap(), scene.received());
        assert!(std::fs::read(scene.received()).unwrap() == scene.content, "{size} bytes");
        let left = names(&scene.inbox.join(".amop-part"));
        assert!(left.len() == 1 && left[0].ends_with(".done"), "{left:?}");
    }
}

/// FILE-9.
#[test]
fn nothing_is_visible_before_the_end_and_the_file_keeps_its_time() {
    let mut scene = Scene::new(2 * CHUNK);
    let mut part = prepare(&scene.folder(), UNIX_EPOCH, &scene.offer);
    let all = scene.stream_bytes();
    scene.receive(&mut part, all);
    assert_eq!(names(&scene.inbox), [".amop-part"]);
    part.finish().unwrap();
    assert_eq!(names(&scene.inbox), [".amop-part", "big.bin"]);
    let modified = |path| std::fs::metadata(path).unwrap().modified().unwrap();
    let (sent, received) = (modified(scene.dir.path().join("big.bin")), modified(scene.received()));
    let ms = |moment: std::time::SystemTime| moment.duration_since(UNIX_EPOCH).unwrap().as_millis();
    assert_eq!(ms(sent), ms(received));
}

#[test]
fn a_part_that_was_dropped_goes_on_behind_what_was_written_of_it() {
    let mut scene = Scene::new(4 * CHUNK);
    let (list, written) = (4 * 32, CHUNK / 4);
    let tells_holes = tells_holes(&scene.inbox);
    for (until, found, kept) in [
        (10, 0, 0),
        (list, list, list),
        (list + written - 1, list, list),
        (list + written, list, list + written),
        (list + CHUNK - 1, list, list + CHUNK - written),
        (list + CHUNK, list + CHUNK, list + CHUNK),
        (list + 3 * CHUNK - 1, list + 2 * CHUNK, list + 3 * CHUNK - written),
        (list + 4 * CHUNK, list + 4 * CHUNK, list + 4 * CHUNK),
    ] {
        let mut part = prepare(&scene.folder(), UNIX_EPOCH, &scene.offer);
        scene.receive(&mut part, until);
        let kept = if tells_holes { kept } else { found };
        assert_eq!(part.kept(), kept, "after {until}");
        drop(part);
        for _ in 0..2 {
            let part = prepare(&scene.folder(), UNIX_EPOCH, &scene.offer);
            assert_eq!(part.checked(), found, "after {until}");
            assert_eq!(part.kept(), kept, "after {until}");
        }
    }
    prepare(&scene.folder(), UNIX_EPOCH, &scene.offer).finish().unwrap();
    assert!(std::fs::read(scene.received()).unwrap() == scene.content);
}

/// As after a power cut: the disk has something else than was written.
#[test]
fn what_rots_on_the_disk_is_found_out_and_received_again() {
    let mut scene = Scene::new(4 * CHUNK);
    let (list, all) = (4 * 32, scene.stream_bytes());
    let mut part = prepare(&scene.folder(), UNIX_EPOCH, &scene.offer);
    scene.receive(&mut part, all);
    drop(part);
    let parts = scene.inbox.join(".amop-part");
    let open = |ending: &str| {
        let name = names(&parts).into_iter().find(|name| name.ends_with(ending)).unwrap();
        std::fs::OpenOptions::new().write(true).open(parts.join(name)).unwrap()
    };
    open("data").write_all_at(b"rotten", 2 * CHUNK + 5).unwrap();
    let part = prepare(&scene.folder(), UNIX_EPOCH, &scene.offer);
    assert_eq!(part.checked(), list + 2 * CHUNK);
    drop(part);
    open("data").set_len(CHUNK + 1).unwrap();
    assert_eq!(prepare(&scene.folder(), UNIX_EPOCH, &scene.offer).checked(), list + CHUNK);
    open("list").write_all_at(b"rotten", 5).unwrap();
    let mut part = prepare(&scene.folder(), UNIX_EPOCH, &scene.offer);
    assert_eq!(part.checked(), 0);
    scene.receive(&mut part, all);
    part.finish().unwrap();
    assert!(std::fs::read(scene.received()).unwrap() == scene.content);
}

/// As some file systems do with zeros, and operators who want room.
#[test]
fn a_hole_where_the_file_has_zeros_is_right() {
    let (list, zeros, tail) = (3 * 32, CHUNK + CHUNK / 2, CHUNK / 4);
    let mut content = content(2 * CHUNK + 2 * tail);
    content[usize::try_from(zeros).unwrap()..][..usize::try_from(tail).unwrap()].fill(0);
    let mut scene = Scene::of(content);
    let mut part = prepare(&scene.folder(), UNIX_EPOCH, &scene.offer);
    scene.receive(&mut part, list + 2 * CHUNK + tail);
    let kept = part.kept();
    drop(part);
    let parts = scene.inbox.join(".amop-part");
    let data = names(&parts).into_iter().find(|name| name.ends_with("data")).unwrap();
    let data = std::fs::OpenOptions::new().write(true).open(parts.join(data)).unwrap();
    let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    match rustix::fs::fallocate(&data, hole, zeros, tail) {
        Ok(()) | Err(Errno::OPNOTSUPP) => {}
        Err(error) => panic!("{error}"),
    }
    let mut part = prepare(&scene.folder(), UNIX_EPOCH, &scene.offer);
    assert_eq!(part.kept(), kept);
    let all = scene.stream_bytes();
    scene.receive(&mut part, all);
    part.finish().unwrap();
    assert!(std::fs::read(scene.received()).unwrap() == scene.content);
}

/// FILE-8: nobody knows whether the beginning of a chunk is right before its end has come.
#[test]
fn a_chunk_that_goes_on_behind_a_wrong_beginning_is_taken_back_and_so_it_is_when_all_of_it_is_wrong()
 {
    let list = 2 * 32;
    for wrong_bytes in [CHUNK / 4, CHUNK] {
        let mut scene = Scene::new(2 * CHUNK);
        let mut part = prepare(&scene.folder(), UNIX_EPOCH, &scene.offer);
        scene.receive(&mut part, list);
        let _ = part.write(list, &vec![7; usize::try_from(wrong_bytes).unwrap()]).unwrap();
        drop(part);
        let mut part = prepare(&scene.folder(), UNIX_EPOCH, &scene.offer);
        let is_beginning = wrong_bytes < CHUNK && tells_holes(&scene.inbox);
        assert_eq!(part.kept(), if is_beginning { list + wrong_bytes } else { list });
        if is_beginning {
            let bytes = usize::try_from(CHUNK - wrong_bytes).unwrap();
            let rest = scene.source.read(part.kept(), bytes).unwrap();
            let wrote = part.write(part.kept(), &rest).unwrap();
            assert_eq!((wrote, part.kept()), (Wrote::Corrupt { checked: list }, list));
        }
        let all = scene.stream_bytes();
        scene.receive(&mut part, all);
        part.finish().unwrap();
        assert!(std::fs::read(scene.received()).unwrap() == scene.content);
    }
}

/// FILE-8.
#[test]
fn a_wrong_part_is_taken_back_and_the_right_one_fits_in_its_place() {
    let mut scene = Scene::new(2 * CHUNK);
    let (list, all) = (2 * 32, scene.stream_bytes());
    let mut part = prepare(&scene.folder(), UNIX_EPOCH, &scene.offer);
    assert_eq!(part.write(0, &[7; 64]).unwrap(), Wrote::Corrupt { checked: 0 });
    scene.receive(&mut part, list + CHUNK);
    let wrong = vec![7; usize::try_from(CHUNK).unwrap()];
    let taken_back = Wrote::Corrupt { checked: list + CHUNK };
    assert_eq!(part.write(list + CHUNK, &wrong).unwrap(), taken_back);
    assert_eq!(part.write(list + CHUNK + 65_536, &[7; 10]).unwrap(), Wrote::Skipped);
    scene.receive(&mut part, all);
    assert_eq!(part.write(all, &[7; 10]).unwrap(), Wrote::Skipped);
    part.finish().unwrap();
    assert!(std::fs::read(scene.received()).unwrap() == scene.content);
}

/// FILE-9.
#[test]
fn what_is_done_is_remembered_even_if_somebody_took_the_file_away() {
    let mut scene = Scene::new(CHUNK);
    let all = scene.stream_bytes();
    let mut part = prepare(&scene.folder(), UNIX_EPOCH, &scene.offer);
    scene.receive(&mut part, all);
    part.finish().unwrap();
    let again = || scene.folder().prepare(UNIX_EPOCH, &scene.offer).unwrap();
    assert!(matches!(again(), Prepared::AlreadyThere));
    std::fs::remove_file(scene.received()).unwrap();
    assert!(matches!(again(), Prepared::AlreadyThere));
}

/// FILE-9: killed between the rename and what remembers it, or put there by other means.
#[test]
fn the_very_file_is_there_already_whoever_put_it_there() {
    let mut scene = Scene::new(2 * CHUNK);
    let all = scene.stream_bytes();
    let mut part = prepare(&scene.folder(), UNIX_EPOCH, &scene.offer);
    scene.receive(&mut part, all);
    drop(part);
    std::fs::write(scene.received(), &scene.content).unwrap();
    let again = scene.folder().prepare(UNIX_EPOCH, &scene.offer).unwrap();
    assert!(matches!(again, Prepared::AlreadyThere));
    let left = names(&scene.inbox.join(".amop-part"));
    assert!(left.len() == 1 && left[0].ends_with(".done"), "{left:?}");
}

/// FILE-3.
#[test]
fn another_file_under_the_same_id_is_refused_and_the_first_stays() {
    let mut scene = Scene::new(2 * CHUNK);
    let (list, all) = (2 * 32, scene.stream_bytes());
    let mut other = scene.offer.clone();
    other.sha256 = [7; 32];
    let mut part = prepare(&scene.folder(), UNIX_EPOCH, &scene.offer);
    scene.receive(&mut part, list + CHUNK);
    drop(part);
    let error = refused(&scene.folder(), UNIX_EPOCH, &other);
    assert!(matches!(error, RefusedFile::IdReused));
    assert_eq!(error.reason(), Reason::FileIdReused);
    let mut part = prepare(&scene.folder(), UNIX_EPOCH, &scene.offer);
    assert_eq!(part.checked(), list + CHUNK);
    scene.receive(&mut part, all);
    part.finish().unwrap();
    assert!(matches!(refused(&scene.folder(), UNIX_EPOCH, &other), RefusedFile::IdReused));

    (other.id, other.from) = (scene.offer.id, "app.sdk.bank-b.amop".parse().unwrap());
    let error = refused(&scene.folder(), UNIX_EPOCH, &other);
    assert!(matches!(error, RefusedFile::Exists), "of somebody else it is another id: {error:?}");
}

/// The list was what its sender said, and so were the chunks; the file is not.
#[test]
fn a_file_with_another_hash_than_offered_is_never_visible() {
    let mut scene = Scene::new(2 * CHUNK);
    scene.offer.sha256 = [7; 32];
    scene.offer.id = FileId(7);
    let all = scene.stream_bytes();
    let mut part = prepare(&scene.folder(), UNIX_EPOCH, &scene.offer);
    scene.receive(&mut part, all);
    let error = part.finish().unwrap_err();
    assert!(matches!(error, PartError::WrongHash));
    assert_eq!(error.reason(), Reason::ChecksumMismatch);
    assert_eq!(names(&scene.inbox), [".amop-part"]);
    assert_eq!(names(&scene.inbox.join(".amop-part")), Vec::<String>::new());
}
