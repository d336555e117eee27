#![doc = include_str!("../README.md")]

mod chunks;
mod data;
#[cfg(test)]
mod failing;
mod files;
mod folder;
mod hashing;
mod keep;
mod part;
mod pattern;
mod place;
mod settings;
mod source;

pub use folder::{Folder, FolderError, Prepared, RefusedFile};
pub use part::{Part, PartError, Wrote};
pub use pattern::Pattern;
pub use settings::{Overwrite, Settings};
pub use source::{Source, SourceError};
