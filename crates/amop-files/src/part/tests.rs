//! Tests that must see into a part.

use std::time::UNIX_EPOCH;

use amop_wire::FileLayout;

use super::*;
use crate::files::Dirs;
use crate::{Folder, Prepared, Settings, Source};

const OVER_4_GIB: u64 = (4 << 30) + 6;

/// FILE-1: of all that is before the last chunk there is a hole, which nobody reads or hashes.
#[test]
fn the_last_bytes_of_a_file_of_more_than_4_gib_are_written_and_checked_at_their_place() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("long.bin"), b"").unwrap();
    let source = Source::open(&dir.path().join("long.bin"), &mut |_| {}).unwrap();
    let name = "app.sdk.bank-a.amop".parse().unwrap();
    let mut offer = source.offer(source.id(), name, "t".parse().unwrap());
    std::fs::remove_file(dir.path().join("long.bin")).unwrap();

    let before = Sha256::new_with_prefix(b"what was before");
    let whole = before.clone().chain_update(b"behind");
    offer.layout = FileLayout::new(OVER_4_GIB).unwrap();
    offer.sha256 = hash_so_far(&whole);
    let mut list = vec![0; 32 * 2048];
    list.extend_from_slice(&offer.sha256);
    let (key, settings) = (Key::of(&offer), Settings::default());
    let dirs = Dirs::open(dir.path()).unwrap();
    let data = dirs.open_part(&key, Kind::Data).unwrap();
    let there = offer.layout.list_bytes() + (4 << 30);
    let folder = Arc::new(Opened::new(dirs, dir.path().to_owned(), settings));
    let (whole, ahead) = (before.clone(), before);
    let mut data = DataWriter::new(data);
    data.go_to(4 << 30);
    let (checked, taken) = (there, there);
    let tells_holes = true;
    let mut part =
        Part { folder, key, offer, data, tells_holes, list, checked, taken, whole, ahead };

    assert_eq!(part.write(there, b"behinD").unwrap(), Wrote::Corrupt { checked: there });
    assert_eq!(part.write(there, b"beh").unwrap(), Wrote::Taken { checked: there, kept: there });
    assert_eq!(
        part.write(there + 3, b"ind").unwrap(),
        Wrote::Taken { checked: there + 6, kept: there + 6 }
    );
    let path = part.finish().unwrap();
    let (file, mut last) = (File::open(&path).unwrap(), [0; 6]);
    file.read_exact_at(&mut last, 4 << 30).unwrap();
    assert_eq!((file.metadata().unwrap().len(), &last), (OVER_4_GIB, b"behind"));
}

/// FILE-6: or more than two chunks would move twice.
#[test]
fn where_no_hole_is_told_only_whole_chunks_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    std::fs::write(&path, vec![7; 3 << 20]).unwrap();
    let mut source = Source::open(&path, &mut |_| {}).unwrap();
    let name = "app.sdk.bank-a.amop".parse().unwrap();
    let offer = source.offer(source.id(), name, "t".parse().unwrap());
    std::fs::remove_file(path).unwrap();
    let folder = Folder::open(dir.path(), Settings::default()).unwrap();
    let Prepared::Part(mut part) = folder.prepare(UNIX_EPOCH, &offer).unwrap() else {
        panic!("it is there")
    };
    part.tells_holes = false;
    for (start, end, kept) in
        [(0, 64, 64), (64, 1 << 20, 64), (1 << 20, 64 + (2 << 20), 64 + (2 << 20))]
    {
        let bytes = source.read(start, usize::try_from(end - start).unwrap()).unwrap();
        let wrote = part.write(start, &bytes).unwrap();
        assert_eq!(wrote, Wrote::Taken { checked: kept, kept });
    }
}
