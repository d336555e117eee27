//! Keeps the revocation lists that others have given, from one life of the node to the next.
//!
//! They lie in the state directory, one file for each authority, in DER: that directory is the node's own, while the
//! one with the operator's lists may be read-only and is his to say what is in it. A file that cannot be read is as
//! good as none, since the neighbours have the list.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use amop_p2p::Trust;
use amop_wire::{AuthorityId, RevocationList};
use tokio::sync::mpsc;
use tracing::{info, warn};

use crate::epoch::{create, options};

/// Has the node go by what was kept in its state directory.
pub(crate) fn recall(trust: &Trust, state_dir: &Path) {
    for entry in fs::read_dir(state_dir.join(DIR)).into_iter().flatten().flatten() {
        let path = entry.path();
        let Some(authority) = authority_of(&path) else { continue };
        let recalled = fs::read(&path)
            .map_err(|error| error.to_string())
            .and_then(|der| trust.recall(authority, &der).map_err(|error| error.to_string()));
        match recalled {
            Ok(list) => info!(issuer = %list.issuer, number = list.number, "kept revocation list"),
            Err(error) => warn!(file = %path.display(), error, "a kept revocation list is lost"),
        }
    }
}

/// Writes down what was learned, one list after another.
pub(crate) async fn keep(mut learned: mpsc::UnboundedReceiver<RevocationList>, state_dir: PathBuf) {
    while let Some(list) = learned.recv().await {
        let dir = state_dir.join(DIR);
        let written = tokio::task::spawn_blocking(move || write(&dir, &list)).await;
        if let Ok(Err(error)) = written {
            warn!(%error, "a revocation list that was learned cannot be kept");
        }
    }
}

/// Puts a list in its place when it is whole.
fn write(dir: &Path, list: &RevocationList) -> io::Result<()> {
    create(dir)?;
    let path = dir.join(format!("{}.{EXTENSION}", list.authority));
    let new = path.with_extension("new");
    let mut file = options().truncate(true).open(&new)?;
    file.write_all(&list.der)?;
    file.sync_all()?;
    fs::rename(&new, &path)
}

fn authority_of(path: &Path) -> Option<AuthorityId> {
    let is_list = path.extension().is_some_and(|extension| extension == EXTENSION);
    path.file_stem().filter(|_| is_list)?.to_str()?.parse().ok()
}

const DIR: &str = "revocations";
const EXTENSION: &str = "crl";
