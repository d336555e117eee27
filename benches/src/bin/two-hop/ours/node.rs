//! The configuration of the daemons, and what they say when they have started.

use std::net::SocketAddr;
use std::path::Path;

use serde::Deserialize;

use crate::certs::{self, Party};

/// The text of `amop.toml` for one of the two nodes; the second one dials the first.
///
/// Both take free ports, which they tell in their log.
pub(crate) fn config(dir: &Path, party: Party, dial: Option<SocketAddr>) -> String {
    let (agency, label) = party.agency_and_label();
    let (root, chain, key) = (certs::root(dir), party.chain(dir), party.key(dir));
    let mut text = format!(
        "[node]\nname = {label:?}\nagency = {agency:?}\n\n\
         [tls]\nca = {root:?}\ncert = {chain:?}\nkey = {key:?}\n\n\
         [sdk]\nlisten = \"127.0.0.1:0\"\n\n\
         [log]\nlevel = \"info\"\nformat = \"json\"\n\n\
         [p2p]\nlisten = \"127.0.0.1:0\"\n"
    );
    if let Some(addr) = dial {
        let name = Party::Node1.dns();
        text += &format!("\n[[p2p.peer]]\nname = {name:?}\naddr = [\"{addr}\"]\n");
    }
    text
}

/// Where a node listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Started {
    pub(crate) p2p_addr: SocketAddr,
    pub(crate) sdk_addr: SocketAddr,
}

/// Reads a line of the log, if it is the one that says where the node listens.
pub(crate) fn started(line: &str) -> Option<Started> {
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
    fn only_the_second_node_dials() {
        let dir = Path::new("/tmp/x");
        let first = config(dir, Party::Node1, None);
        assert!(first.contains("agency = \"bank-a\"") && !first.contains("p2p.peer"), "{first}");
        let second = config(dir, Party::Node2, Some(SocketAddr::from(([127, 0, 0, 1], 7))));
        assert!(second.contains("addr = [\"127.0.0.1:7\"]"), "{second}");
    }
}
