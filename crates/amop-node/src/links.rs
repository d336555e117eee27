//! Takes in links and keeps up those to the configured peers.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use amop_core::node::{Input, LinkId};
use amop_p2p::{Dialer, Endpoint, Handshake, Link, LinkEnd, Target};
use amop_wire::{CloseCode, CloseReason, Lane, Name, Recent, Transit};
use tracing::{debug, info, warn};

use crate::driver::Driver;

/// Takes in clients until the endpoint shuts down.
pub(crate) async fn accept_clients(driver: Arc<Driver>, endpoint: Endpoint) {
    while let Some(handshake) = endpoint.accept().await {
        let driver = driver.clone();
        endpoint.workers().spawn(async move {
            let Some(link) = complete(&driver, handshake, "client").await else { return };
            run_client(&driver, link).await;
        });
    }
}

/// Takes in peers until the endpoint shuts down.
pub(crate) async fn accept_peers(driver: Arc<Driver>, endpoint: Endpoint) {
    while let Some(handshake) = endpoint.accept().await {
        let driver = driver.clone();
        endpoint.workers().spawn(async move {
            let Some(link) = complete(&driver, handshake, "peer").await else { return };
            run_peer(&driver, link).await;
        });
    }
}

/// Keeps a link to one configured peer: dials whenever none is there, whoever dialed the last.
pub(crate) async fn dial_peer(
    driver: Arc<Driver>,
    endpoint: Endpoint,
    name: Name,
    targets: Vec<Target>,
) {
    let mut status = driver.status();
    let mut dialer = Dialer::new(targets, seed(&driver, &name));
    let mut told = String::new();
    loop {
        if status.wait_for(|status| !status.peers.contains(&name)).await.is_err() {
            return;
        }
        match dialer.next(&endpoint).await {
            Ok(link) => {
                let mut greeted = driver.status();
                let run = run_peer(&driver, link);
                let mut run = std::pin::pin!(run);
                tokio::select! {
                    () = &mut run => continue,
                    _ = greeted.wait_for(|status| status.peers.contains(&name)) => {}
                }
                dialer.settled();
                driver.wants(&name);
                told.clear();
                run.await;
            }
            Err(error) => {
                let text = chain(&error);
                driver.missed(&name, &text);
                // A peer that stays away is told once, not at every attempt.
                if text != told {
                    warn!(peer = %name, error = %text, "cannot link with peer");
                    told = text;
                }
            }
        }
    }
}

async fn complete(driver: &Driver, handshake: Handshake, who: &'static str) -> Option<Link> {
    let remote = handshake.remote_addr();
    match handshake.complete().await {
        Ok(link) => Some(link),
        Err(error) => {
            // Whoever keeps trying does not fill the log.
            if let Some(held_back) = driver.is_worth_telling_of(remote.ip()) {
                warn!(who, %remote, error = %chain(&error), held_back, "refused a link");
            }
            None
        }
    }
}

/// Closes a link that may not be. Whoever keeps trying does not fill the log.
async fn turn_away(driver: &Driver, link: Link, who: &'static str, reason: CloseReason) {
    let (party, remote) = (&link.peer().name, link.remote_addr());
    if let Some(held_back) = driver.is_worth_telling(party) {
        warn!(who, %party, %remote, error = %reason, held_back, "refused a link");
    }
    link.outbox().close(reason);
    link.run(|_, _| Ok(())).await;
}

async fn run_client(driver: &Driver, link: Link) {
    let (name, remote) = (link.peer().name.clone(), link.remote_addr());
    let up = |link| Input::ClientUp { link, name: name.clone() };
    match driver.link_up(&link, up) {
        Err(reason) => turn_away(driver, link, "client", reason).await,
        Ok(id) => {
            let (mut recent, mut transit) = (Recent::default(), Transit::default());
            let run = link.run(|lane, frames| match lane {
                Lane::Files => driver.file_frames(id, frames, (&mut recent, &mut transit)),
                _ => driver.client_frames(id, lane, frames, (&mut recent, &mut transit)),
            });
            let end = run.await;
            ended(driver, id, &name, remote, &end);
        }
    }
}

async fn run_peer(driver: &Driver, link: Link) {
    let (name, remote) = (link.peer().name.clone(), link.remote_addr());
    let dialed = link.initiated_by_us();
    let up = |link| Input::PeerUp { link, name: name.clone(), dialed };
    match driver.link_up(&link, up) {
        Err(reason) => turn_away(driver, link, "peer", reason).await,
        Ok(id) => {
            let (mut recent, mut transit) = (Recent::default(), Transit::default());
            let run = link.run(|lane, frames| match lane {
                Lane::Files => driver.file_frames(id, frames, (&mut recent, &mut transit)),
                _ => driver.peer_frames(id, &name, lane, frames, (&mut recent, &mut transit)),
            });
            let end = run.await;
            ended(driver, id, &name, remote, &end);
        }
    }
}

/// Tells of the end of a link. Whoever has its links end one after another does not fill the log.
fn ended(driver: &Driver, id: LinkId, name: &Name, remote: std::net::SocketAddr, end: &LinkEnd) {
    driver.link_down(id);
    let is_fault = match end {
        LinkEnd::Broken(_) => true,
        LinkEnd::ClosedByUs(reason) => matches!(
            reason.code,
            CloseCode::Protocol | CloseCode::SlowReader | CloseCode::Overloaded
        ),
        // The peer's operator knows why; ours must learn it too.
        LinkEnd::ClosedByPeer(reason) => reason.code == CloseCode::Refused,
        LinkEnd::Lost(_) => {
            if let Some(held_back) = driver.is_worth_telling_lost(name) {
                info!(party = %name, %remote, %end, held_back, "link ended");
            }
            return;
        }
    };
    match is_fault.then(|| driver.is_worth_telling(name)).flatten() {
        Some(held_back) => warn!(party = %name, %remote, %end, held_back, "link ended"),
        None => debug!(party = %name, %remote, %end, "link ended"),
    }
}

/// Differs from pair to pair, so that nodes that lost each other do not dial in step.
fn seed(driver: &Driver, peer: &Name) -> u64 {
    let mut hasher = DefaultHasher::new();
    (driver.name(), peer).hash(&mut hasher);
    hasher.finish()
}

/// An error with its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
