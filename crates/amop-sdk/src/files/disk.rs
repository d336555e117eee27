//! The disk's side of one file that is received: a thread that may wait for it.

use std::path::PathBuf;
use std::sync::Weak;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, SystemTime};

use amop_core::transfer::{CREDIT_STEP_BYTES, DiskSaid, DiskTask, Slot};
use amop_files::{Folder, Part, Prepared, RefusedFile, Wrote};
use amop_wire::FileOffer;

use crate::driver::Driver;

/// What a thread has of one file.
pub(super) struct Disk {
    folder: Folder,
    offer: FileOffer,
    path: PathBuf,
    part: Option<Box<Part>>,
    /// How far it was right, and kept, when that was told last.
    checked: u64,
    kept: u64,
}

impl Disk {
    /// Of a file that will be at that path.
    pub(super) fn new(folder: Folder, offer: FileOffer, path: PathBuf) -> Self {
        Self { folder, offer, path, part: None, checked: 0, kept: 0 }
    }

    /// Does what it is given, one after the other, until the transfer is over.
    pub(super) fn work(mut self, driver: &Weak<Driver>, slot: Slot, given: &Receiver<DiskTask>) {
        // Nothing is given while this one is being prepared, so whatever comes then is the end.
        let goes_on = || given.recv_timeout(BUSY_AGAIN) == Err(RecvTimeoutError::Timeout);
        while let Ok(task) = given.recv() {
            let Some((said, path)) = self.perform(&task, goes_on) else { continue };
            let Some(driver) = driver.upgrade() else { return };
            driver.turn(|state, now| state.files.disk_said(now, slot, said, path));
        }
    }

    fn perform(
        &mut self,
        task: &DiskTask,
        goes_on: impl FnMut() -> bool,
    ) -> Option<(DiskSaid, Option<PathBuf>)> {
        let said = match task {
            DiskTask::Prepare => match self.prepare(goes_on) {
                Ok(Prepared::AlreadyThere) => {
                    return Some((DiskSaid::AlreadyThere, Some(self.path.clone())));
                }
                Ok(Prepared::Part(part)) => {
                    let (checked, kept) = (part.checked(), part.kept());
                    (self.checked, self.kept) = (checked, kept);
                    self.part = Some(part);
                    DiskSaid::Prepared { checked, kept }
                }
                Err(error) => DiskSaid::Failed(error.reason()),
            },
            DiskTask::Write { start, data } => match self.part.as_mut()?.write(*start, data) {
                Ok(Wrote::Taken { checked, kept }) => {
                    // Each turn costs all that the client does, so only what is news is told.
                    if checked == self.checked && kept < self.kept + CREDIT_STEP_BYTES {
                        return None;
                    }
                    (self.checked, self.kept) = (checked, kept);
                    DiskSaid::Wrote { checked, kept }
                }
                Ok(Wrote::Corrupt { checked }) => {
                    self.kept = checked;
                    DiskSaid::Corrupt { checked }
                }
                Ok(Wrote::Skipped) => return None,
                Err(error) => DiskSaid::Failed(error.reason()),
            },
            DiskTask::Finish => match self.part.take()?.finish() {
                Ok(path) => return Some((DiskSaid::Finished, Some(path))),
                Err(error) => DiskSaid::Failed(error.reason()),
            },
        };
        Some((said, None))
    }

    /// Prepares the file. While an earlier transfer of it has not let go, for it still writes or hashes what it was
    /// given, it is tried again, as long as that goes on.
    fn prepare(&self, mut goes_on: impl FnMut() -> bool) -> Result<Prepared, RefusedFile> {
        for _ in 1..BUSY_TRIES {
            match self.folder.prepare(clock(), &self.offer) {
                Err(RefusedFile::Busy) if goes_on() => {}
                prepared => return prepared,
            }
        }
        self.folder.prepare(clock(), &self.offer)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "what is too old to be kept is told by the real time"
)]
pub(super) fn clock() -> SystemTime {
    SystemTime::now()
}

/// How long a file is left alone that an earlier transfer holds.
const BUSY_AGAIN: Duration = Duration::from_millis(100);

/// How many times it is tried, which takes a minute. Whoever holds it then is another process that receives it.
const BUSY_TRIES: u32 = 600;

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::path::Path;

    use amop_files::{Settings, Source};
    use tempfile::TempDir;

    use super::*;

    fn scene() -> (TempDir, Disk) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a"), "hello").unwrap();
        let source = Source::open(&dir.path().join("a"), &mut |_| {}).unwrap();
        let from = "app.sdk.bank-a.amop".parse().unwrap();
        let offer = source.offer(source.id(), from, "t".parse().unwrap());
        let inbox = dir.path().join("in");
        std::fs::create_dir(&inbox).unwrap();
        let mut settings = Settings::default();
        settings.keep_free_bytes = 0;
        let folder = Folder::open(&inbox, settings).unwrap();
        drop(folder.prepare(clock(), &offer).unwrap());
        let path = inbox.join("a");
        (dir, Disk::new(folder, offer, path))
    }

    /// Holds the data of the only part, as whoever receives it does.
    fn hold(dir: &Path) -> File {
        let mut parts = std::fs::read_dir(dir.join("in/.amop-part")).unwrap();
        let is_data = |path: &PathBuf| path.extension().is_some_and(|it| it == "data");
        let data = parts.find_map(|part| Some(part.unwrap().path()).filter(is_data)).unwrap();
        let held = File::open(data).unwrap();
        held.lock().unwrap();
        held
    }

    #[test]
    fn a_file_that_an_earlier_transfer_has_not_let_go_of_is_waited_for() {
        let (dir, disk) = scene();
        let (mut held, mut waited) = (Some(hold(dir.path())), 0);
        let prepared = disk.prepare(|| {
            waited += 1;
            if waited == 3 {
                held = None;
            }
            true
        });
        assert!(matches!(prepared, Ok(Prepared::Part(_))));
        assert_eq!(waited, 3);
    }

    #[test]
    fn a_file_that_another_process_receives_is_waited_for_no_longer_than_a_minute_or_its_transfer()
    {
        let (dir, disk) = scene();
        let _held = hold(dir.path());
        for (gives_up_after, tries) in [(5, 5), (u32::MAX, BUSY_TRIES - 1)] {
            let mut waited = 0;
            let refused = disk.prepare(|| {
                waited += 1;
                waited < gives_up_after
            });
            assert!(matches!(refused, Err(RefusedFile::Busy)));
            assert_eq!(waited, tries);
        }
        assert_eq!(BUSY_AGAIN * BUSY_TRIES, Duration::from_secs(60));
    }
}
