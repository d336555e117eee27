//! The daemons: their configuration, and what they say when they have started.

use std::ffi::OsStr;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::certs::{self, Party};
use crate::child::Child;
use crate::door::Door;
use crate::network::{READY_WITHIN, Servers, Site, with_last_words};

/// Starts so many daemons in a row, each of which dials the one before it.
///
/// # Errors
///
/// Fails when one cannot be started or is not ready in time.
pub(crate) async fn start_nodes(site: &Site, count: usize) -> Result<Servers> {
    let mut servers = Servers::default();
    let mut dial = None;
    for node in Party::NODES.into_iter().take(count) {
        let (daemon, started) = start_node(site, node, dial).await?;
        servers.push(daemon, Door { node, addr: started.sdk_addr });
        dial = Some(Door { node, addr: site.weather.before(started.p2p_addr).await? });
    }
    Ok(servers)
}

async fn start_node(site: &Site, party: Party, dial: Option<Door>) -> Result<(Child, Started)> {
    let path = site.dir.join(format!("{}.toml", party.dns()));
    fs::write(&path, config(&site.dir, party, site.workers, dial))
        .with_context(|| format!("cannot write {}", path.display()))?;
    let arguments = [OsStr::new("--config"), path.as_os_str()];
    let mut node = Child::start(party.dns(), &site.node_binary, arguments)?;
    match node.find_in_log(READY_WITHIN, started).await {
        Ok(started) => Ok((node, started)),
        Err(error) => Err(with_last_words(&error, [&mut node]).await),
    }
}

/// The text of `amop.toml` for one of the nodes. It takes free ports, which it tells in its log. All clients come from
/// one address, more than an address may link as fast as that: they are let in.
fn config(dir: &Path, party: Party, workers: u8, dial: Option<Door>) -> String {
    let (agency, label) = party.agency_and_label();
    let (root, chain, key) = (certs::root(dir), party.chain(dir), party.key(dir));
    let mut text = format!(
        "[node]\nname = {label:?}\nagency = {agency:?}\nworkers = {workers}\n\n\
         [tls]\nca = {root:?}\ncert = {chain:?}\nkey = {key:?}\n\n\
         [sdk]\nlisten = \"127.0.0.1:0\"\n\n\
         [limits]\naddress.handshakes = \"200/s\"\naddress.handshakes_burst = 16384\n\n\
         [log]\nlevel = \"info\"\nformat = \"json\"\n\n\
         [p2p]\nlisten = \"127.0.0.1:0\"\n"
    );
    if let Some(Door { node, addr }) = dial {
        let name = node.dns();
        text += &format!("\n[[p2p.peer]]\nname = {name:?}\naddr = [\"{addr}\"]\n");
    }
    text
}

/// Where a node listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
struct Started {
    p2p_addr: SocketAddr,
    sdk_addr: SocketAddr,
}

/// Reads a line of the log, if it is the one that says where the node listens.
fn started(line: &str) -> Option<Started> {
    #[derive(Deserialize)]
    struct Line {
        fields: Started,
    }
    Some(serde_json::from_str::<Line>(line).ok()?.fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_with_the_addresses_is_found() {
        let line = r#"{"timestamp":"2026-01-01T00:00:00Z","level":"INFO","fields":{"message":
            "node started","p2p_addr":"127.0.0.1:4001","sdk_addr":"127.0.0.1:4002"}}"#;
        let found = started(line).unwrap();
        assert_eq!((found.p2p_addr.port(), found.sdk_addr.port()), (4001, 4002));
        assert_eq!(started(r#"{"fields":{"message":"starting"}}"#), None);
        assert_eq!(started("no JSON"), None);
    }

    #[test]
    fn only_a_node_that_has_one_before_it_dials() {
        let dir = Path::new("/tmp/x");
        let first = config(dir, Party::Node1, 2, None);
        assert!(first.contains("workers = 2\n"), "{first}");
        assert!(first.contains("agency = \"bank-a\"") && !first.contains("p2p.peer"), "{first}");
        let before = Door { node: Party::Node1, addr: SocketAddr::from(([127, 0, 0, 1], 7)) };
        let second = config(dir, Party::Node2, 1, Some(before));
        assert!(second.contains("name = \"n1.node.bank-a.amop\""), "{second}");
        assert!(second.contains("addr = [\"127.0.0.1:7\"]"), "{second}");
    }
}
