//! Reads the lists of revoked certificates that a configuration names.

use std::path::{Path, PathBuf};
use std::{fs, io};

use amop_p2p::Revocations;

use crate::config::ConfigError;

/// Reads all lists of a file, or of every file in a directory whose name ends in `.crl`.
pub(crate) fn read(path: &Path) -> Result<Revocations, ConfigError> {
    let mut revocations = Revocations::default();
    let files = match path.is_dir() {
        false => vec![path.to_owned()],
        true => files_of(path).map_err(|source| unreadable(path, source))?,
    };
    for file in files {
        let pem = fs::read(&file).map_err(|source| unreadable(&file, source))?;
        let lists = Revocations::from_pem(&pem)
            .map_err(|source| ConfigError::BadRevocations { file: file.clone(), source })?;
        // A file that says nothing is a mistake, and nobody would notice it.
        if lists.dates().next().is_none() {
            return Err(ConfigError::NoRevocations { file });
        }
        revocations.add(lists);
    }
    Ok(revocations)
}

fn files_of(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "crl") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn unreadable(file: &Path, source: io::Error) -> ConfigError {
    ConfigError::Unreadable { file: file.into(), key: Some("tls.crl"), source }
}
