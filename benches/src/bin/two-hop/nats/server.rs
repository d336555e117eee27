//! The servers: their configuration, and what they say when they have started.

use std::ffi::OsStr;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};

use super::certs::{Files, SERVER};
use crate::certs::Party;
use crate::child::Child;
use crate::door::Door;
use crate::network::{READY_WITHIN, Servers, with_last_words};

/// Starts a cluster of so many servers.
///
/// # Errors
///
/// Fails when one cannot be started or is not ready in time.
pub(crate) async fn start_servers(program: &Path, dir: &Path, count: usize) -> Result<Servers> {
    let mut servers = Servers::default();
    let mut first = None;
    for node in Party::NODES.into_iter().take(count) {
        let path = dir.join(format!("nats-{}.conf", node.dns()));
        let text = config(dir, node, first);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        let arguments = [OsStr::new("--config"), path.as_os_str()];
        let mut server = Child::start(node.dns(), program, arguments)?;
        let mut heard = Heard::default();
        match server.find_in_log(READY_WITHIN, |line| heard.hear(line)).await {
            Ok((addr, route)) => {
                servers.push(server, Door { node, addr });
                first = first.or(Some(route));
            }
            Err(error) => return Err(with_last_words(&error, [&mut server]).await),
        }
    }
    Ok(servers)
}

/// The configuration of one server: free ports, mutual TLS on both, all else as it comes.
fn config(dir: &Path, node: Party, first: Option<SocketAddr>) -> String {
    let Files { root, certificate, key } = Files::of(dir, SERVER);
    let tls = format!(
        "tls {{ ca_file: {root:?}, cert_file: {certificate:?}, key_file: {key:?}, verify: true, \
         timeout: 10 }}"
    );
    let name = node.dns();
    let routes = first.map(|addr| format!("\"nats-route://{addr}\"")).unwrap_or_default();
    format!(
        "server_name: {name:?}\nlisten: \"127.0.0.1:-1\"\n{tls}\n\
         cluster {{\n  name: bench\n  listen: \"127.0.0.1:-1\"\n  {tls}\n  routes: [{routes}]\n}}\n"
    )
}

/// Where a server listens, as far as it has said so.
#[derive(Debug, Default)]
struct Heard {
    client: Option<SocketAddr>,
    route: Option<SocketAddr>,
    is_ready: bool,
}

impl Heard {
    /// Reads a line of the log; answers once the server has said everything.
    fn hear(&mut self, line: &str) -> Option<(SocketAddr, SocketAddr)> {
        let addr = |before: &str| line.split_once(before)?.1.trim().parse().ok();
        self.client = self.client.or_else(|| addr("Listening for client connections on "));
        self.route = self.route.or_else(|| addr("Listening for route connections on "));
        self.is_ready |= line.ends_with("Server is ready");
        self.client.zip(self.route).filter(|_| self.is_ready)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_addresses_are_found_in_the_log() {
        let mut heard = Heard::default();
        let lines = [
            "[7] 2026/01/01 00:00:00.0 [INF] Starting nats-server",
            "[7] 2026/01/01 00:00:00.0 [INF] Listening for client connections on 127.0.0.1:4001",
            "[7] 2026/01/01 00:00:00.0 [INF] TLS required for client connections",
            "[7] 2026/01/01 00:00:00.0 [INF] Listening for route connections on 127.0.0.1:4002",
        ];
        assert!(lines.iter().all(|line| heard.hear(line).is_none()));
        let (client, route) =
            heard.hear("[7] 2026/01/01 00:00:00.0 [INF] Server is ready").unwrap();
        assert_eq!((client.port(), route.port()), (4001, 4002));
    }

    #[test]
    fn a_later_server_has_a_route_to_the_first() {
        let first = config(Path::new("/x"), Party::Node1, None);
        assert!(first.contains("routes: []") && first.matches("verify: true").count() == 2);
        let route = SocketAddr::from(([127, 0, 0, 1], 7));
        let second = config(Path::new("/x"), Party::Node2, Some(route));
        assert!(second.contains("routes: [\"nats-route://127.0.0.1:7\"]"), "{second}");
    }
}
