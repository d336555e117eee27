//! What a node stands on: its state directory, its runtime and threads, its sockets.

use std::path::PathBuf;

use amop_p2p::{Endpoint, LinkKind};
use amop_wire::Epoch;
use tokio::runtime::Runtime;

use crate::border::Border;
use crate::epoch::{StateDir, StateError, epoch_by_clock};
use crate::node::{NodeConfig, StartError, WORKERS_MAX};
use crate::workers::Threads;

/// What a node stands on, in the order in which it must be there.
pub(crate) struct Ground {
    pub(crate) life: (Epoch, Option<StateDir>),
    pub(crate) border: Border,
    pub(crate) runtime: Runtime,
    pub(crate) threads: Threads,
}

/// Lays the ground, or says what is missing.
pub(crate) fn ground(
    config: &NodeConfig,
    state_dir: Option<PathBuf>,
) -> Result<Ground, StartError> {
    // Before the sockets: whoever links with this life must meet an epoch that is on the disk. The
    // directory stays locked until all else is gone.
    let life = begin(state_dir).map_err(StartError::State)?;
    let border = Border::new(config.identity.clone(), &config.trust).map_err(StartError::Chain)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(StartError::Thread)?;
    let count = config.workers.clamp(1, WORKERS_MAX);
    let threads = Threads::start(count, config.identity.name(), runtime.handle());
    Ok(Ground { life, border, runtime, threads: threads.map_err(StartError::Thread)? })
}

/// Takes the state directory, if there is one, and begins a life.
fn begin(state_dir: Option<PathBuf>) -> Result<(Epoch, Option<StateDir>), StateError> {
    let clock = epoch_by_clock();
    let Some(path) = state_dir else { return Ok((clock, None)) };
    let state = StateDir::open(path)?;
    Ok((state.next_epoch(clock)?, Some(state)))
}

/// Opens the sockets for peers and for clients.
pub(crate) fn listen(config: &NodeConfig) -> Result<(Endpoint, Endpoint), StartError> {
    let NodeConfig { identity, trust, settings, .. } = config;
    let addr = config.p2p_listen;
    let p2p = Endpoint::listen(addr, LinkKind::Node, identity, trust, settings.clone())
        .map_err(|source| StartError::P2pListen { addr, source })?;
    let addr = config.sdk_listen;
    let sdk = Endpoint::listen(addr, LinkKind::Sdk, identity, trust, settings.clone())
        .map_err(|source| StartError::SdkListen { addr, source })?;
    Ok((p2p, sdk))
}
