//! Notices that certificates, keys or revocation lists were changed on the disk, so that nobody has to say so.
//!
//! It looks at names, sizes and times of the files, not into them. A file that is found half written, or a certificate
//! whose key is not there yet, gives an error in the log, and is found again when it is whole, since size or time
//! has changed.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Looks at files, and at the files in directories.
#[derive(Debug)]
pub(crate) struct Watch {
    paths: Vec<PathBuf>,
    seen: Files,
}

/// Size and time of each file.
type Files = BTreeMap<PathBuf, (u64, Option<SystemTime>)>;

impl Watch {
    /// Looks at what is there now.
    pub(crate) fn new(paths: Vec<PathBuf>) -> Self {
        let seen = look_at(&paths);
        Self { paths, seen }
    }

    /// Whether anything is other than the last time that it was asked, or than at the beginning.
    pub(crate) fn has_changed(&mut self) -> bool {
        let now = look_at(&self.paths);
        let has_changed = now != self.seen;
        self.seen = now;
        has_changed
    }
}

fn look_at(paths: &[PathBuf]) -> Files {
    paths.iter().flat_map(|path| look(path)).collect()
}

fn look(path: &Path) -> Files {
    // What cannot be seen counts as not there. Reading it says why.
    let stamp = |metadata: &Metadata| (metadata.len(), metadata.modified().ok());
    let entries = fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let files = entries.chain([path.to_owned()]);
    files
        .filter_map(|file| fs::metadata(&file).ok().map(|metadata| (file, stamp(&metadata))))
        .collect()
}

/// How often it is worth a look.
pub(crate) const PERIOD: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn a_file_that_comes_changes_or_goes_is_noticed_once() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("root.crl");
        for path in [dir.path().to_owned(), file.clone()] {
            let mut watch = Watch::new(vec![path]);
            assert!(!watch.has_changed());
            fs::write(&file, "one").unwrap();
            assert!(watch.has_changed() && !watch.has_changed());
            fs::write(&file, "longer").unwrap();
            assert!(watch.has_changed() && !watch.has_changed());
            fs::remove_file(&file).unwrap();
            assert!(watch.has_changed() && !watch.has_changed());
        }
        assert!(!Watch::new(Vec::new()).has_changed());
    }

    #[test]
    fn a_file_that_is_as_long_as_before_is_noticed_by_its_time() {
        let dir = tempfile::tempdir().unwrap();
        let file = File::create(dir.path().join("node.crt")).unwrap();
        file.set_modified(UNIX_EPOCH).unwrap();
        let mut watch = Watch::new(vec![dir.path().to_owned()]);
        assert!(!watch.has_changed());
        file.set_modified(UNIX_EPOCH + PERIOD).unwrap();
        assert!(watch.has_changed() && !watch.has_changed());
    }
}
