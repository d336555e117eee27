//! The thread of a node: what it stands on, what runs on it, and how it ends.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use amop_core::node::Rates;
use amop_p2p::{Endpoint, Identity, LinkKind};
use amop_wire::Epoch;
use tokio::runtime::Runtime;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tracing::info;

use crate::border::Border;
use crate::driver::Driver;
use crate::epoch::{StateDir, StateError, epoch_by_clock};
use crate::expiry::days_left;
use crate::links::{accept_clients, accept_peers, dial_peer};
use crate::node::{NodeConfig, StartError, Status, WORKERS_MAX};
use crate::trust::LiveTrust;
use crate::workers::Threads;

/// Something to look at or to do on the node's thread, where its state is.
pub(crate) type Look = Box<dyn FnOnce(&Driver) + Send>;

/// What the node's thread is told while it runs.
pub(crate) struct Orders {
    pub(crate) trust: LiveTrust,
    pub(crate) rates: watch::Receiver<Rates>,
    pub(crate) identity: watch::Receiver<Identity>,
    pub(crate) looks: mpsc::UnboundedReceiver<Look>,
    pub(crate) drain: Arc<Notify>,
    pub(crate) stopped: oneshot::Receiver<()>,
}

/// What the node's thread answers once it listens.
pub(crate) struct Started {
    pub(crate) epoch: Epoch,
    pub(crate) p2p_addr: SocketAddr,
    pub(crate) sdk_addr: SocketAddr,
    pub(crate) status: watch::Receiver<Status>,
}

pub(crate) fn run_thread(
    mut config: NodeConfig,
    orders: Orders,
    state_dir: Option<PathBuf>,
    started: oneshot::Sender<Result<Started, StartError>>,
) {
    let Orders { trust, rates, identity, looks, drain, stopped } = orders;
    let Ground { life: (epoch, _state), border, runtime, threads } =
        match ground(&config, state_dir) {
            Ok(ground) => ground,
            Err(error) => {
                let _ = started.send(Err(error));
                return;
            }
        };
    config.settings.workers = threads.workers();
    runtime.block_on(async {
        let (p2p, sdk) = match listen(&config) {
            Ok(endpoints) => endpoints,
            Err(error) => {
                let _ = started.send(Err(error));
                return;
            }
        };
        let driver = Driver::new(config.identity.name().clone(), epoch, border);
        if started.send(ready(&driver, epoch, &p2p, &sdk)).is_err() {
            return; // The caller gave up waiting.
        }
        driver.set_rates(config.rates);
        tokio::spawn(driver.clone().run_timers());
        tokio::spawn(follow(rates, driver.clone()));
        let endpoints = [p2p.clone(), sdk.clone()];
        tokio::spawn(show(identity.clone(), driver.clone(), endpoints));
        tokio::spawn(let_look(looks, driver.clone()));
        let drained = driver.clone();
        tokio::spawn(async move {
            drain.notified().await;
            info!("draining");
            drained.drain();
        });
        tokio::spawn(trust.watch(identity, [p2p.clone(), sdk.clone()]));
        tokio::spawn(accept_clients(driver.clone(), sdk.clone()));
        tokio::spawn(accept_peers(driver.clone(), p2p.clone()));
        for (name, targets) in config.peers {
            driver.wants(&name);
            tokio::spawn(dial_peer(driver.clone(), p2p.clone(), name, targets));
        }
        let mut status = driver.status();
        tokio::select! {
            // An error means that the handle was dropped: that stops the node as well.
            _ = stopped => {}
            _ = status.wait_for(|status| status.is_superseded || status.is_drained) => {}
        }
        driver.shut_down();
        tokio::join!(sdk.shutdown(), p2p.shutdown());
        info!("node stopped");
    });
}

/// What a node stands on, in the order in which it must be there.
struct Ground {
    life: (Epoch, Option<StateDir>),
    border: Border,
    runtime: Runtime,
    threads: Threads,
}

fn ground(config: &NodeConfig, state_dir: Option<PathBuf>) -> Result<Ground, StartError> {
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

/// Goes by the rates that the operator sets, as long as there is one.
async fn follow(mut rates: watch::Receiver<Rates>, driver: Arc<Driver>) {
    while rates.changed().await.is_ok() {
        let rates = *rates.borrow_and_update();
        driver.set_rates(rates);
        info!("going by other limits");
    }
}

/// Shows the certificates that the operator puts in place of the first one.
async fn show(
    mut identity: watch::Receiver<Identity>,
    driver: Arc<Driver>,
    endpoints: [Endpoint; 2],
) {
    while identity.changed().await.is_ok() {
        let identity = identity.borrow_and_update().clone();
        for endpoint in &endpoints {
            endpoint.show(&identity);
        }
        let (fingerprint, days) = (identity.fingerprint(), days_left(identity.valid_until()));
        driver.recertify(identity);
        info!(%fingerprint, days, "going by another certificate");
    }
}

/// Lets others look at the driver, one after another.
async fn let_look(mut looks: mpsc::UnboundedReceiver<Look>, driver: Arc<Driver>) {
    while let Some(look) = looks.recv().await {
        look(&driver);
    }
}

/// Takes the state directory, if there is one, and begins a life.
fn begin(state_dir: Option<PathBuf>) -> Result<(Epoch, Option<StateDir>), StateError> {
    let clock = epoch_by_clock();
    let Some(path) = state_dir else { return Ok((clock, None)) };
    let state = StateDir::open(path)?;
    Ok((state.next_epoch(clock)?, Some(state)))
}

fn listen(config: &NodeConfig) -> Result<(Endpoint, Endpoint), StartError> {
    let NodeConfig { identity, trust, settings, .. } = config;
    let addr = config.p2p_listen;
    let p2p = Endpoint::listen(addr, LinkKind::Node, identity, trust, settings.clone())
        .map_err(|source| StartError::P2pListen { addr, source })?;
    let addr = config.sdk_listen;
    let sdk = Endpoint::listen(addr, LinkKind::Sdk, identity, trust, settings.clone())
        .map_err(|source| StartError::SdkListen { addr, source })?;
    Ok((p2p, sdk))
}

fn ready(
    driver: &Arc<Driver>,
    epoch: Epoch,
    p2p: &Endpoint,
    sdk: &Endpoint,
) -> Result<Started, StartError> {
    let p2p_addr = p2p.local_addr().map_err(StartError::Thread)?;
    let sdk_addr = sdk.local_addr().map_err(StartError::Thread)?;
    info!(%p2p_addr, %sdk_addr, epoch = epoch.0, "node started");
    Ok(Started { epoch, p2p_addr, sdk_addr, status: driver.status() })
}
