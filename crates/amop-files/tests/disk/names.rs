//! What gets which name, and what never does.

use std::fs::FileTimes;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use amop_files::{Folder, Overwrite, PartError, Prepared, RefusedFile, Settings};
use amop_wire::Reason;
use rustix::thread::CapabilitySet;

use crate::common::{Scene, names, prepare, refused};

/// Puts a file of the same name there, changed so many seconds after the one that is offered.
fn put(scene: &Scene, text: &str, seconds: i64) {
    std::fs::write(scene.received(), text).unwrap();
    let offered = UNIX_EPOCH + Duration::from_millis(scene.offer.modified_ms);
    let span = Duration::from_secs(seconds.unsigned_abs());
    let moment = if seconds < 0 { offered - span } else { offered + span };
    let file = std::fs::OpenOptions::new().write(true).open(scene.received()).unwrap();
    file.set_times(FileTimes::new().set_modified(moment)).unwrap();
}

/// Receives the file, while `meanwhile` happens before it gets its name.
fn receive(scene: &mut Scene, overwrite: Overwrite, meanwhile: fn(&Scene)) -> Result<(), Reason> {
    let folder = scene.folder_with(|settings| settings.overwrite = overwrite);
    let mut part = match folder.prepare(UNIX_EPOCH, &scene.offer) {
        Ok(Prepared::Part(part)) => part,
        Ok(Prepared::AlreadyThere) => panic!("it is there already"),
        Err(error) => return Err(error.reason()),
    };
    let all = scene.stream_bytes();
    scene.receive(&mut part, all);
    meanwhile(scene);
    part.finish().map(drop).map_err(|error| error.reason())
}

#[test]
fn what_is_there_is_replaced_as_the_settings_say() {
    let exists = Err(Reason::FileExists);
    for (overwrite, seconds, expected) in [
        (Overwrite::Never, -10, exists),
        (Overwrite::Newer, -10, Ok(())),
        (Overwrite::Newer, 0, exists),
        (Overwrite::Newer, 10, exists),
        (Overwrite::Always, 10, Ok(())),
    ] {
        let mut scene = Scene::new(1000);
        put(&scene, "there", seconds);
        assert_eq!(receive(&mut scene, overwrite, |_| {}), expected, "{overwrite:?} {seconds}");
        let content = if expected.is_ok() { scene.content.clone() } else { b"there".to_vec() };
        assert_eq!(std::fs::read(scene.received()).unwrap(), content);
    }
}

/// Nobody looks and then renames: the file comes while ours gets its name.
#[test]
fn what_comes_while_a_file_is_received_is_judged_at_the_end() {
    let exists = Err(Reason::FileExists);
    for (overwrite, seconds, expected) in [
        (Overwrite::Never, -10, exists),
        (Overwrite::Newer, -10, Ok(())),
        (Overwrite::Newer, 10, exists),
        (Overwrite::Always, 10, Ok(())),
    ] {
        let mut scene = Scene::new(1000);
        let meanwhile: fn(&Scene) = if seconds < 0 {
            |scene| put(scene, "there", -10)
        } else {
            |scene| put(scene, "there", 10)
        };
        assert_eq!(receive(&mut scene, overwrite, meanwhile), expected, "{overwrite:?} {seconds}");
        let content = if expected.is_ok() { scene.content.clone() } else { b"there".to_vec() };
        assert_eq!(std::fs::read(scene.received()).unwrap(), content);
        assert_eq!(names(&scene.inbox), [".amop-part", "big.bin"]);
    }
}

/// The complete part stays, so that nothing moves again once there is room for its name.
#[test]
fn a_file_whose_name_was_taken_at_the_end_waits_for_it() {
    let mut scene = Scene::new(1000);
    let all = scene.stream_bytes();
    let mut part = prepare(&scene.folder(), UNIX_EPOCH, &scene.offer);
    scene.receive(&mut part, all);
    put(&scene, "there", 0);
    assert!(matches!(part.finish().unwrap_err(), PartError::Exists));
    assert!(matches!(refused(&scene.folder(), UNIX_EPOCH, &scene.offer), RefusedFile::Exists));
    std::fs::remove_file(scene.received()).unwrap();
    let part = prepare(&scene.folder(), UNIX_EPOCH, &scene.offer);
    assert_eq!(part.checked(), all);
    part.finish().unwrap();
}

#[test]
fn links_and_directories_are_neither_followed_nor_replaced() {
    let put_link = |scene: &Scene| {
        let target = scene.dir.path().join("target");
        std::fs::write(&target, "secret").unwrap();
        symlink(target, scene.received()).unwrap();
    };
    let put_dir = |scene: &Scene| std::fs::create_dir(scene.received()).unwrap();
    let put_dangling = |scene: &Scene| symlink("/nowhere/at/all", scene.received()).unwrap();
    for put in [put_link, put_dir, put_dangling] {
        for overwrite in [Overwrite::Never, Overwrite::Newer, Overwrite::Always] {
            for early in [true, false] {
                let mut scene = Scene::new(1000);
                if early {
                    put(&scene);
                }
                let kind = |scene: &Scene| scene.received().symlink_metadata().unwrap().file_type();
                let meanwhile: fn(&Scene) = if early { |_| {} } else { put };
                let end = receive(&mut scene, overwrite, meanwhile);
                assert_eq!(end, Err(Reason::FileExists), "{overwrite:?} early: {early}");
                assert!(!kind(&scene).is_file());
                let target = std::fs::read(scene.dir.path().join("target"));
                assert!(target.is_err() || target.unwrap() == b"secret");
            }
        }
    }
}

#[test]
fn the_directory_for_parts_is_no_link_to_elsewhere() {
    let scene = Scene::new(1000);
    symlink(scene.dir.path(), scene.inbox.join(".amop-part")).unwrap();
    Folder::open(&scene.inbox, Settings::default()).unwrap_err();
}

/// A link in the place of a part, put there by somebody who may write to it.
#[test]
fn the_data_of_a_part_are_no_link_to_elsewhere() {
    let mut scene = Scene::new(1000);
    let mut part = prepare(&scene.folder(), UNIX_EPOCH, &scene.offer);
    scene.receive(&mut part, 32);
    drop(part);
    let parts = scene.inbox.join(".amop-part");
    let data = names(&parts).into_iter().find(|name| name.ends_with("data")).unwrap();
    let target = scene.dir.path().join("target");
    std::fs::write(&target, "secret").unwrap();
    std::fs::remove_file(parts.join(&data)).unwrap();
    symlink(&target, parts.join(&data)).unwrap();
    let error = refused(&scene.folder(), UNIX_EPOCH, &scene.offer);
    assert_eq!(error.reason(), Reason::DirectoryFailed);
    assert_eq!(std::fs::read(target).unwrap(), b"secret");
}

/// Not even who may write everywhere can make a directory there.
#[test]
fn a_directory_that_cannot_be_written_to_is_not_opened() {
    let error = Folder::open(std::path::Path::new("/proc"), Settings::default()).unwrap_err();
    assert_eq!(error.to_string(), "the directory cannot be used to receive files");
}

#[test]
fn a_directory_that_is_gone_is_said_and_one_that_is_not_there_is_not_opened() {
    let mut scene = Scene::new(1000);
    let folder = scene.folder();
    let all = scene.stream_bytes();
    let mut part = prepare(&folder, UNIX_EPOCH, &scene.offer);
    scene.receive(&mut part, all);
    std::fs::remove_dir_all(&scene.inbox).unwrap();
    assert_eq!(part.finish().unwrap_err().reason(), Reason::DirectoryFailed);
    assert_eq!(
        refused(&folder, SystemTime::UNIX_EPOCH, &scene.offer).reason(),
        Reason::DirectoryFailed
    );
    Folder::open(&scene.inbox, Settings::default()).unwrap_err();
}

/// What is open can still be written. The name cannot be given, and is once that is allowed again.
#[test]
fn a_directory_that_becomes_read_only_is_said_and_what_has_come_stays() {
    give_up_writing_everywhere();
    for dir in ["", ".amop-part"] {
        let mut scene = Scene::new(5 << 20);
        let folder = scene.folder();
        let all = scene.stream_bytes();
        let mut part = prepare(&folder, UNIX_EPOCH, &scene.offer);
        let first_chunk = scene.offer.layout.list_bytes() + (2 << 20);
        scene.receive(&mut part, first_chunk);
        let dir = scene.inbox.join(dir);
        let mode = |mode| {
            std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        mode(0o500);
        scene.receive(&mut part, all);
        assert_eq!(part.finish().unwrap_err().reason(), Reason::DirectoryFailed);
        assert!(!scene.received().exists());

        mode(0o700);
        let part = prepare(&folder, UNIX_EPOCH, &scene.offer);
        assert_eq!(part.checked(), all);
        part.finish().unwrap();
        assert!(std::fs::read(scene.received()).unwrap() == scene.content);
    }
}

/// Whoever runs the tests as root may write to what is read-only: its thread gives that up.
fn give_up_writing_everywhere() {
    let mut rights = rustix::thread::capabilities(None).unwrap();
    rights.effective -= CapabilitySet::DAC_OVERRIDE;
    rustix::thread::set_capabilities(None, rights).unwrap();
}
