//! Removes what nobody will go on with, also if no file comes.

use std::time::Duration;

use amop_files::Folder;
use tokio::task::{AbortHandle, spawn_blocking};
use tokio::time::interval;

use super::disk::clock;

/// Cleans a folder each hour, until it is dropped.
#[derive(Debug)]
pub(super) struct Cleaning(AbortHandle);

impl Cleaning {
    /// Cleans a folder now, and then each hour.
    pub(super) async fn begin(folder: Folder) -> Self {
        let mut hours = interval(EVERY);
        hours.tick().await; // The first one is now.
        clean(folder.clone()).await;
        let hourly = tokio::spawn(async move {
            loop {
                hours.tick().await;
                clean(folder.clone()).await;
            }
        });
        Self(hourly.abort_handle())
    }
}

impl Drop for Cleaning {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn clean(folder: Folder) {
    // What could not be removed is removed another time; if the directory is broken, the next file says so.
    let _ = spawn_blocking(move || folder.clean(clock())).await;
}

/// How often: what is forgotten is at most so much older than it may be.
const EVERY: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use std::fs::{File, FileTimes};
    use std::path::{Path, PathBuf};

    use amop_files::Settings;
    use tokio::time::sleep;

    use super::*;

    /// What was begun that many hours ago, and nobody went on with.
    fn leave(dir: &Path, hours: u64) -> PathBuf {
        let data = dir.join(".amop-part").join(format!("{hours:032x}.data"));
        let file = File::create(&data).unwrap();
        let moment = clock() - Duration::from_secs(3600 * hours);
        file.set_times(FileTimes::new().set_modified(moment)).unwrap();
        data
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_a_day_old_goes_when_receiving_begins_and_each_hour_and_nothing_after_the_end()
    {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path(), Settings::default()).unwrap();
        let (old, young) = (leave(dir.path(), 25), leave(dir.path(), 23));
        let cleaning = Cleaning::begin(folder).await;
        assert!(!old.exists() && young.exists());
        for _ in 0..3 {
            let old = leave(dir.path(), 25);
            for minutes in 0.. {
                if !old.exists() {
                    break;
                }
                assert!(minutes <= 61);
                sleep(Duration::from_secs(60)).await; // The clock is paused: nobody waits.
            }
            assert!(young.exists());
        }
        drop(cleaning);
        let old = leave(dir.path(), 25);
        sleep(3 * EVERY).await;
        assert!(old.exists());
    }
}
