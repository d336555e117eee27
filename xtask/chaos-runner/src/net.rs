//! A network of processes: five nodes in a ring and clients of theirs, with a wire on each link.

use std::fmt::Write;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use amop_pki::{AgencyPlan, Consortium, Leaf};
use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::books::Verdict;
use crate::clock::wall;
use crate::diary::Diaries;
use crate::process::{ClientProcess, Daemon};
use crate::proxy::Wire;

/// All processes of a run.
#[derive(Debug)]
pub(crate) struct Net {
    pub(crate) nodes: Vec<Daemon>,
    /// Between nodes.
    pub(crate) wires: Vec<Wire>,
    pub(crate) publishers: Vec<ClientProcess>,
    pub(crate) subscribers: Vec<ClientProcess>,
    consortium: Consortium,
    dir: TempDir,
    clients: usize,
    /// Whether clients dial their nodes without a wire, which would be measured with them.
    is_measured: bool,
    /// Of the next wire.
    seed: u64,
}

/// What a publisher does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) unicasts: u64,
    pub(crate) multicasts: u64,
    pub(crate) timeout_ms: u64,
    pub(crate) payload_bytes: u64,
    /// Whether a message counts from when the client takes it, not from the call.
    pub(crate) from_acceptance: bool,
    /// How many messages may wait until the client takes them.
    pub(crate) waiting_max: u64,
}

/// Nothing, with the usual time and payload.
impl Default for Load {
    fn default() -> Self {
        Self {
            unicasts: 0,
            multicasts: 0,
            timeout_ms: 10_000,
            payload_bytes: 200,
            from_acceptance: false,
            waiting_max: u64::MAX,
        }
    }
}

impl Net {
    /// Starts the nodes, each linked with the one before it, the first with the last, all with this at the end of
    /// their configuration.
    ///
    /// # Errors
    ///
    /// Fails if one does not start.
    pub(crate) async fn start(binary: &Path, seed: u64, more: &str) -> Result<Self> {
        let plan = [AgencyPlan { agency: "bank", nodes: &NODES, clients: &["app"] }];
        let consortium = Consortium::new("Chaos", "amop", &plan, wall())?;
        let dir = tempfile::Builder::new().prefix("amop-chaos-").tempdir()?;
        let mut net = Self {
            nodes: Vec::new(),
            wires: Vec::new(),
            publishers: Vec::new(),
            subscribers: Vec::new(),
            consortium,
            dir,
            clients: 0,
            is_measured: false,
            seed,
        };
        for (number, label) in NODES.into_iter().enumerate() {
            let dialed = match number {
                0 => vec![],
                4 => vec![3, 0],
                _ => vec![number - 1],
            };
            let mut peers = String::new();
            for other in dialed {
                let to = net.nodes[other].p2p_addr;
                let wire = net.wire(to, format!("{label} to {}", NODES[other])).await?;
                let name = dns(other);
                let _ =
                    write!(peers, "[[p2p.peer]]\nname = \"{name}\"\naddr = [\"{}\"]\n", wire.addr);
                net.wires.push(wire);
            }
            peers.push_str(more);
            let dir = net.node_dir(number);
            let leaf = net.consortium.node("bank", label).context("it was planned")?;
            net.write_party(&dir, "node", leaf)?;
            configure(&dir, label, ["127.0.0.1:0"; 2], &peers)?;
            let node = Daemon::start(binary, &dir).await?;
            // In its next lives it is where it was.
            let addrs = [node.p2p_addr.to_string(), node.sdk_addr.to_string()];
            configure(&dir, label, [&addrs[0], &addrs[1]], &peers)?;
            net.nodes.push(node);
        }
        for number in 0..NODES.len() {
            net.is_linked(number).await?;
        }
        Ok(net)
    }

    /// The same, with clients that dial their nodes without a wire: what they feel is measured.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub(crate) async fn start_measured(binary: &Path, seed: u64, more: &str) -> Result<Self> {
        Ok(Self { is_measured: true, ..Self::start(binary, seed, more).await? })
    }

    /// Every wire that there is: first those between nodes, then those of the clients that live.
    pub(crate) fn every_wire(&self) -> impl Iterator<Item = &Wire> {
        let clients = self.publishers.iter().chain(&self.subscribers);
        self.wires.iter().chain(clients.flat_map(|client| &client.wires))
    }

    /// Waits until a node is linked with both of its neighbours.
    ///
    /// # Errors
    ///
    /// Fails if it is not in time.
    pub(crate) async fn is_linked(&self, number: usize) -> Result<()> {
        for other in [number + 1, number + NODES.len() - 1] {
            let peer = format!("peer=bank/{}", NODES[other % NODES.len()]);
            self.nodes[number].says(&["peer linked", &peer]).await?;
        }
        Ok(())
    }

    /// Starts a subscriber at one node that knows another one too.
    ///
    /// # Errors
    ///
    /// Fails if it does not get ready.
    pub(crate) async fn subscribe(&mut self, nodes: [usize; 2]) -> Result<()> {
        self.subscribe_with(nodes, &[]).await
    }

    /// Starts one that takes more arguments.
    ///
    /// # Errors
    ///
    /// As [`subscribe`](Self::subscribe).
    pub(crate) async fn subscribe_with(
        &mut self,
        nodes: [usize; 2],
        more: &[String],
    ) -> Result<()> {
        let arguments = [&["--subscribe".into()], more].concat();
        let subscriber = self.client(nodes, &arguments).await?;
        self.subscribers.push(subscriber);
        Ok(())
    }

    /// Starts a publisher likewise.
    ///
    /// # Errors
    ///
    /// Fails if it does not get ready.
    pub(crate) async fn publish(&mut self, nodes: [usize; 2], load: Load) -> Result<()> {
        let Load { unicasts, multicasts, timeout_ms, payload_bytes, .. } = load;
        let arguments = [
            ("unicasts", unicasts),
            ("multicasts", multicasts),
            ("timeout-ms", timeout_ms),
            ("payload-bytes", payload_bytes),
            ("waiting-max", load.waiting_max),
        ];
        let mut arguments = arguments.map(|(name, value)| format!("--{name}={value}")).to_vec();
        arguments.extend(load.from_acceptance.then(|| "--from-acceptance".to_owned()));
        let publisher = self.client(nodes, &arguments).await?;
        self.publishers.push(publisher);
        Ok(())
    }

    /// Starts a client at a node that reads none of the multicasts to it.
    ///
    /// # Errors
    ///
    /// Fails if it does not get ready.
    pub(crate) async fn deaf(&mut self, node: usize) -> Result<ClientProcess> {
        self.other("deaf", node, &[]).await
    }

    /// Starts a certified client that keeps no rule.
    ///
    /// # Errors
    ///
    /// Fails if it does not get ready.
    pub(crate) async fn hostile(&mut self, node: usize) -> Result<ClientProcess> {
        self.other("hostile", node, &[format!("--name={}", dns(node))]).await
    }

    /// Starts strangers that begin handshakes with a node as fast as they can.
    ///
    /// # Errors
    ///
    /// Fails if they do not get ready.
    pub(crate) async fn knock(&mut self, node: usize) -> Result<ClientProcess> {
        self.other("knock", node, &[format!("--name={}", dns(node))]).await
    }

    /// Starts another kind of client of one node.
    async fn other(&mut self, role: &str, node: usize, more: &[String]) -> Result<ClientProcess> {
        let dir = self.new_client()?;
        let mut arguments = vec![
            format!("--dir={}", dir.display()),
            format!("--endpoint={}", self.nodes[node].sdk_addr),
        ];
        arguments.extend_from_slice(more);
        ClientProcess::start(role, &arguments, dir.join("diary")).await
    }

    /// What all clients have written.
    ///
    /// # Errors
    ///
    /// Fails if that cannot be read.
    pub(crate) fn diaries(&self) -> Result<Diaries> {
        let clients = self.publishers.iter().chain(&self.subscribers);
        Diaries::read(clients.map(ClientProcess::diary))
    }

    /// Has all clients come to their ends, the publishers first; those that were killed have ended.
    ///
    /// # Errors
    ///
    /// Fails if one ends in another way, or takes long.
    pub(crate) async fn finish(&mut self) -> Result<()> {
        for client in self.publishers.iter_mut().chain(&mut self.subscribers) {
            client.finish_if_alive().await?;
        }
        Ok(())
    }

    /// Demands that no node has counted another one as lost, which none of them was.
    pub(crate) fn keeps_its_peers(&self, verdict: &mut Verdict) {
        for (node, label) in self.nodes.iter().zip(NODES) {
            for line in node.has_said(&["peer lost"]) {
                verdict.complain(format!("{label} says so of a peer that lives: {line}"));
            }
        }
    }

    /// Says where everything was written if there is something wrong with it, and removes it if not.
    pub(crate) fn leave(mut self, verdict: &Verdict) {
        if !verdict.is_good() {
            self.dir.disable_cleanup(true);
            println!("  logs and diaries: {}", self.dir.path().display());
        }
    }

    /// Starts a client of any kind at one node that knows another one too.
    ///
    /// # Errors
    ///
    /// Fails if it does not get ready.
    pub(crate) async fn client(
        &mut self,
        nodes: [usize; 2],
        more: &[String],
    ) -> Result<ClientProcess> {
        let dir = self.new_client()?;
        let diary = dir.join("diary");
        let mut arguments =
            vec![format!("--dir={}", dir.display()), format!("--diary={}", diary.display())];
        let mut wires = Vec::new();
        for node in nodes {
            let mut addr = self.nodes[node].sdk_addr;
            if !self.is_measured {
                let name = format!("client {} to {}", self.clients, NODES[node]);
                let wire = self.wire(addr, name).await?;
                addr = wire.addr;
                wires.push(wire);
            }
            arguments.push(format!("--endpoint={addr}"));
        }
        arguments.extend_from_slice(more);
        let mut client = ClientProcess::start("client", &arguments, diary).await?;
        client.wires = wires;
        Ok(client)
    }

    /// Puts the next wire before an address.
    async fn wire(&mut self, to: SocketAddr, name: String) -> Result<Wire> {
        let wire = Wire::before(to, name, self.seed).await?;
        self.seed += 2; // A wire has two ways.
        Ok(wire)
    }

    /// Makes the directory of another client.
    fn new_client(&mut self) -> Result<PathBuf> {
        self.clients += 1;
        let dir = self.dir.path().join(format!("client-{}", self.clients));
        let leaf = self.consortium.client("bank", "app").context("it was planned")?;
        self.write_party(&dir, "sdk", leaf)?;
        Ok(dir)
    }

    fn node_dir(&self, number: usize) -> PathBuf {
        self.dir.path().join(NODES[number])
    }

    fn write_party(&self, dir: &Path, name: &str, leaf: &Leaf) -> Result<()> {
        fs::create_dir(dir)?;
        fs::write(dir.join("ca.crt"), self.consortium.root().certificate_pem())?;
        fs::write(dir.join(format!("{name}.crt")), leaf.chain_pem())?;
        let key = dir.join(format!("{name}.key"));
        fs::write(&key, leaf.key_pem())?;
        Ok(fs::set_permissions(key, fs::Permissions::from_mode(0o600))?)
    }
}

/// The certified name of a node.
fn dns(node: usize) -> String {
    format!("{}.node.bank.amop", NODES[node])
}

fn configure(dir: &Path, label: &str, [p2p, sdk]: [&str; 2], peers: &str) -> Result<()> {
    let text = format!(
        "[node]\nname = \"{label}\"\nagency = \"bank\"\nstate_dir = \"state\"\n\
         [tls]\nca = \"ca.crt\"\ncert = \"node.crt\"\nkey = \"node.key\"\n\
         [sdk]\nlisten = \"{sdk}\"\n[p2p]\nlisten = \"{p2p}\"\n{peers}"
    );
    Ok(fs::write(dir.join("amop.toml"), text)?)
}

const NODES: [&str; 5] = ["n0", "n1", "n2", "n3", "n4"];
