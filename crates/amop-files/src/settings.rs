//! What a receiver takes, and how long it keeps what is not complete.

use std::time::Duration;

use amop_wire::limits::FILE_BYTES_MAX;

use crate::Pattern;

/// What a [`Folder`](crate::Folder) takes. The default takes everything that replaces nothing.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// What happens if a file of that name is there.
    pub overwrite: Overwrite,
    /// The longest file, in bytes.
    pub bytes_max: u64,
    /// Which names are taken: those that match one of these, or all if there is none.
    pub accept: Vec<Pattern>,
    /// The most that files which are not complete may take up together, in bytes.
    pub quota_bytes: u64,
    /// How much of the disk must stay free, in bytes.
    pub keep_free_bytes: u64,
    /// How long a file that is not complete is kept after its last byte came.
    pub keep: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            overwrite: Overwrite::Never,
            bytes_max: FILE_BYTES_MAX,
            accept: Vec::new(),
            quota_bytes: 2 * FILE_BYTES_MAX,
            keep_free_bytes: 64 << 20,
            keep: Duration::from_secs(24 * 3600),
        }
    }
}

/// Whether a file that comes replaces one of the same name. What is no ordinary file is never replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Overwrite {
    /// It is refused.
    #[default]
    Never,
    /// It replaces one that was changed earlier.
    Newer,
    /// It replaces any.
    Always,
}
