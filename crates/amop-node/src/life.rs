//! The thread of a node: what it stands on, what runs on it, and how it ends.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use amop_p2p::{Endpoint, Identity};
use amop_wire::{Epoch, RevocationList};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tracing::{debug, info};

use crate::access::Access;
use crate::driver::Driver;
use crate::expiry::days_left;
use crate::ground::{Ground, ground, listen};
use crate::kept;
use crate::limits::Limits;
use crate::links::{accept_clients, accept_peers, dial_peer};
use crate::node::{NodeConfig, StartError, Status};
use crate::trust::LiveTrust;

/// Something to look at or to do on the node's thread, where its state is.
pub(crate) type Look = Box<dyn FnOnce(&Driver) + Send>;

/// What the node's thread is told while it runs.
pub(crate) struct Orders {
    pub(crate) trust: LiveTrust,
    /// What comes to be trusted by the word of peers.
    pub(crate) learned: mpsc::UnboundedReceiver<RevocationList>,
    pub(crate) limits: watch::Receiver<Limits>,
    pub(crate) access: watch::Receiver<Access>,
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
    let Orders { trust, learned, limits, access, identity, looks, drain, stopped } = orders;
    let Ground { life: (epoch, state), border, runtime, threads } = match ground(&config, state_dir)
    {
        Ok(ground) => ground,
        Err(error) => {
            let _ = started.send(Err(error));
            return;
        }
    };
    config.settings.workers = threads.workers();
    config.limits.apply_to(&mut config.settings);
    let waiting = config.settings.waiting.clone();
    let state_dir = state.as_ref().map(|state| state.path().to_owned());
    if let Some(state_dir) = &state_dir {
        kept::recall(&config.trust, state_dir);
    }
    runtime.block_on(async {
        let (p2p, sdk) = match listen(&config) {
            Ok(endpoints) => endpoints,
            Err(error) => {
                let _ = started.send(Err(error));
                return;
            }
        };
        let name = config.identity.name().clone();
        let driver = Driver::new(name, epoch, (border, trust.clone()), (config.limits, waiting));
        driver.set_access(config.access);
        if started.send(ready(&driver, epoch, &p2p, &sdk)).is_err() {
            return; // The caller gave up waiting.
        }
        tokio::spawn(driver.clone().run_timers());
        let endpoints = [p2p.clone(), sdk.clone()];
        tokio::spawn(follow(limits, config.limits, driver.clone(), endpoints.clone()));
        tokio::spawn(obey(access, driver.clone()));
        tokio::spawn(show(identity.clone(), driver.clone(), endpoints));
        tokio::spawn(let_look(looks, driver.clone()));
        let drained = driver.clone();
        tokio::spawn(async move {
            drain.notified().await;
            info!("draining");
            drained.drain();
        });
        tokio::spawn(trust.watch(identity, [p2p.clone(), sdk.clone()], driver.clone()));
        if let Some(state_dir) = state_dir {
            tokio::spawn(kept::keep(learned, state_dir));
        }
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

/// Goes by the limits that the operator sets, as long as there is one.
async fn follow(
    mut limits: watch::Receiver<Limits>,
    started: Limits,
    driver: Arc<Driver>,
    endpoints: [Endpoint; 2],
) {
    while limits.changed().await.is_ok() {
        let limits = limits.borrow_and_update().for_queues_of(&started);
        driver.set_limits(limits);
        for endpoint in &endpoints {
            endpoint.set_handshakes(limits.handshakes_of_address(), limits.handshakes_of_node());
        }
        info!("going by other limits");
    }
}

/// Goes by the rules and lists that the operator sets.
async fn obey(mut access: watch::Receiver<Access>, driver: Arc<Driver>) {
    while access.changed().await.is_ok() {
        let access = access.borrow_and_update().clone();
        let count = access.rules.len();
        driver.set_access(access);
        info!(count, "going by other rules");
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

fn ready(
    driver: &Arc<Driver>,
    epoch: Epoch,
    p2p: &Endpoint,
    sdk: &Endpoint,
) -> Result<Started, StartError> {
    let p2p_addr = p2p.local_addr().map_err(StartError::Thread)?;
    let sdk_addr = sdk.local_addr().map_err(StartError::Thread)?;
    debug!(%p2p_addr, %sdk_addr, epoch = epoch.0, "listening");
    Ok(Started { epoch, p2p_addr, sdk_addr, status: driver.status() })
}
