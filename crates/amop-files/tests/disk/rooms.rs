//! What is taken at all, and how long what is not complete is kept.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use amop_files::RefusedFile;
use amop_wire::limits::FILE_CHUNK_BYTES;
use amop_wire::{FileId, FileLayout, FileOffer, Reason};
use sha2::{Digest, Sha256};

use crate::common::{Scene, names, prepare, refused};

const CHUNK: u64 = FILE_CHUNK_BYTES;

#[test]
fn what_is_too_long_or_has_no_name_that_is_wanted_is_refused_before_anything() {
    let scene = Scene::new(1000);
    let folder = scene.folder_with(|settings| settings.bytes_max = 999);
    let error = refused(&folder, UNIX_EPOCH, &scene.offer);
    assert!(matches!(error, RefusedFile::TooLong { limit: 999 }));
    let folder = scene.folder_with(|settings| settings.accept = vec!["*.csv".parse().unwrap()]);
    assert_eq!(refused(&folder, UNIX_EPOCH, &scene.offer).reason(), Reason::FileNotWanted);
    assert_eq!(names(&scene.inbox.join(".amop-part")), Vec::<String>::new());

    let folder = scene.folder_with(|settings| {
        settings.bytes_max = 1000;
        settings.accept = vec!["*.csv".parse().unwrap(), "big.*".parse().unwrap()];
    });
    prepare(&folder, UNIX_EPOCH, &scene.offer);
}

/// FILE-1: sizes have 64 bits, on the way to the disk as well.
#[test]
fn a_limit_of_4_gib_is_kept_to_the_byte() {
    const LIMIT: u64 = 4 << 30;
    let mut scene = Scene::new(0);
    for (size, reason) in [(LIMIT, Reason::DiskFull), (LIMIT + 1, Reason::FileTooLong)] {
        scene.offer.layout = FileLayout::new(size).unwrap();
        let folder = scene.folder_with(|settings| {
            settings.bytes_max = LIMIT;
            settings.keep_free_bytes = u64::MAX; // Nothing is to come of what may come.
        });
        assert_eq!(refused(&folder, UNIX_EPOCH, &scene.offer).reason(), reason);
    }
}

#[test]
fn a_full_disk_is_noticed_before_the_first_byte_and_leaves_nothing() {
    let scene = Scene::new(1000);
    let folder = scene.folder_with(|settings| settings.keep_free_bytes = u64::MAX);
    let error = refused(&folder, UNIX_EPOCH, &scene.offer);
    assert_eq!(error.reason(), Reason::DiskFull);
    assert_eq!(names(&scene.inbox.join(".amop-part")), Vec::<String>::new());
}

#[test]
fn room_for_the_whole_file_is_taken_at_once() {
    let scene = Scene::new(3 * CHUNK);
    for is_known in [false, true] {
        let part = prepare(&scene.folder(), UNIX_EPOCH, &scene.offer);
        let parts = scene.inbox.join(".amop-part");
        let data = names(&parts).into_iter().find(|name| name.ends_with("data")).unwrap();
        let metadata = std::fs::metadata(parts.join(&data)).unwrap();
        assert_eq!(metadata.len(), 3 * CHUNK, "{is_known}");
        assert!(metadata.blocks() * 512 >= 3 * CHUNK, "{} blocks", metadata.blocks());
        drop(part);
        std::fs::remove_file(parts.join(data)).unwrap(); // By somebody who needed the room.
    }
}

/// Written to so many hours ago, as a clock sees it that is so much ahead.
fn in_hours(hours: u64) -> SystemTime {
    #[expect(clippy::disallowed_methods, reason = "the files of the test have the system's time")]
    let now = SystemTime::now();
    now + Duration::from_secs(hours * 3600)
}

#[test]
fn what_nobody_writes_to_for_a_day_is_removed_and_what_is_received_is_not() {
    let mut scene = Scene::new(2 * CHUNK);
    let folder = scene.folder();
    let mut part = prepare(&folder, UNIX_EPOCH, &scene.offer);
    scene.receive(&mut part, 2 * 32 + CHUNK);
    assert_eq!(folder.clean(in_hours(30)).unwrap(), 0, "it is being received");
    drop(part);
    assert_eq!(folder.clean(in_hours(23)).unwrap(), 0);
    assert_eq!(prepare(&folder, in_hours(23), &scene.offer).checked(), 2 * 32 + CHUNK);
    assert_eq!(folder.clean(in_hours(25)).unwrap(), 2 * CHUNK);
    assert_eq!(names(&scene.inbox.join(".amop-part")), Vec::<String>::new());
}

#[test]
fn what_was_done_is_forgotten_after_a_day_and_the_file_stays() {
    let mut scene = Scene::new(1000);
    let folder = scene.folder();
    let mut part = prepare(&folder, UNIX_EPOCH, &scene.offer);
    let all = scene.stream_bytes();
    scene.receive(&mut part, all);
    part.finish().unwrap();
    folder.clean(in_hours(25)).unwrap();
    assert_eq!(names(&scene.inbox.join(".amop-part")), Vec::<String>::new());
    assert_eq!(names(&scene.inbox), [".amop-part", "big.bin"]);
}

/// Killed while one of the small files was written, or before what was replaced was removed.
#[test]
fn what_a_process_left_behind_that_was_killed_goes_with_the_rest() {
    let mut scene = Scene::new(1000);
    let folder = scene.folder();
    for ending in ["half", "old"] {
        let left = part_file(&scene, 1, ending);
        std::fs::write(&left, [7; 1000]).unwrap();
        folder.clean(in_hours(23)).unwrap();
        assert!(left.exists(), "it may be under way");
        folder.clean(in_hours(25)).unwrap();
        assert!(!left.exists(), "{ending}");

        std::fs::write(&left, [7; 1000]).unwrap();
        let mut part = prepare(&folder, UNIX_EPOCH, &numbered(&scene, 1));
        let all = scene.stream_bytes();
        scene.receive(&mut part, all);
        part.finish().unwrap();
        assert!(!left.exists(), "{ending}");
        std::fs::remove_file(scene.received()).unwrap();
        folder.clean(in_hours(25)).unwrap();
    }
}

/// Many threads at once, for each file one: what the first has taken the next must see.
#[test]
fn files_that_are_offered_at_once_do_not_share_the_room_of_one() {
    for _ in 0..20 {
        let scene = Scene::new(1000);
        let folder = scene.folder_with(|settings| settings.quota_bytes = 2500);
        let begin = std::sync::Barrier::new(8);
        let offers: Vec<FileOffer> = (1..=8).map(|number| numbered(&scene, number)).collect();
        let parts: Vec<_> = std::thread::scope(|scope| {
            let prepare = |offer| {
                begin.wait();
                folder.prepare(UNIX_EPOCH, offer)
            };
            let threads: Vec<_> =
                offers.iter().map(|offer| scope.spawn(move || prepare(offer))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(parts.iter().filter(|part| part.is_ok()).count(), 2);
        let is_full = |refused: &RefusedFile| refused.reason() == Reason::DiskFull;
        assert!(parts.iter().filter_map(|part| part.as_ref().err()).all(is_full));
    }
}

#[test]
fn over_the_quota_the_oldest_makes_room_but_never_what_is_received() {
    let scene = Scene::new(1000);
    let folder = scene.folder_with(|settings| settings.quota_bytes = 3000);
    for number in 1..=3 {
        drop(prepare(&folder, UNIX_EPOCH, &numbered(&scene, number)));
        age(&scene, number, 10 - number);
    }
    let going_on = prepare(&folder, UNIX_EPOCH, &numbered(&scene, 2));
    drop(prepare(&folder, UNIX_EPOCH, &numbered(&scene, 4)));
    assert_eq!(held(&scene), [2, 3, 4], "the first was the oldest");
    drop(prepare(&folder, UNIX_EPOCH, &numbered(&scene, 5)));
    assert_eq!(held(&scene), [2, 4, 5], "the second is older, and is being received");
    drop(going_on);

    let folder = scene.folder_with(|settings| settings.quota_bytes = 999);
    let error = refused(&folder, UNIX_EPOCH, &numbered(&scene, 6));
    assert_eq!(error.reason(), Reason::DiskFull);
}

#[test]
fn one_file_is_received_by_one_at_a_time() {
    let scene = Scene::new(1000);
    let part = prepare(&scene.folder(), UNIX_EPOCH, &scene.offer);
    let error = refused(&scene.folder(), UNIX_EPOCH, &scene.offer);
    assert!(matches!(error, RefusedFile::Busy));
    drop(part);
    prepare(&scene.folder(), UNIX_EPOCH, &scene.offer);
}

/// The same file under an id of its own.
fn numbered(scene: &Scene, number: u64) -> FileOffer {
    FileOffer { id: FileId(number.into()), ..scene.offer.clone() }
}

/// Makes the part of this number as old as that many minutes.
fn age(scene: &Scene, number: u64, minutes: u64) {
    let moment = in_hours(0) - Duration::from_secs(minutes * 60);
    for ending in ["data", "offer"] {
        let file = std::fs::File::open(part_file(scene, number, ending)).unwrap();
        file.set_times(std::fs::FileTimes::new().set_modified(moment)).unwrap();
    }
}

/// The numbers of the parts that are there.
fn held(scene: &Scene) -> Vec<u64> {
    (1..10).filter(|&number| part_file(scene, number, "data").exists()).collect()
}

/// A file of the part of this number.
fn part_file(scene: &Scene, number: u64, ending: &str) -> PathBuf {
    let FileOffer { from, topic, id, .. } = numbered(scene, number);
    let mut name = format!("AMOP-FILE-PART/v1\0{}\0{topic}\0", from.as_dns()).into_bytes();
    name.extend_from_slice(&id.0.to_be_bytes());
    let hash: [u8; 32] = Sha256::digest(&name).into();
    let key: String = hash[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    scene.inbox.join(".amop-part").join(format!("{key}.{ending}"))
}
