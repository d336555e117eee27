//! A consortium whose nodes are processes, linked by wires.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::SystemTime;

use amop_pki::{AgencyPlan, Consortium, Leaf};
use amop_sdk::{Client, ClientBuilder, Identity, Name, Trust};
use amop_wire::Role;
use tempfile::TempDir;

use crate::daemon::Daemon;
use crate::wire::Wire;
use crate::{PATIENCE, within};

/// Nodes by their number, and the wires between them.
pub(crate) struct Net {
    consortium: Consortium,
    pub(crate) nodes: Vec<Daemon>,
    /// By the number of the node that dials and of the one that is dialed.
    wires: BTreeMap<(usize, usize), Wire>,
    dir: TempDir,
}

impl Net {
    /// Starts nodes, each of which dials some of those before it, and waits until they are linked.
    pub(crate) async fn start(dials: &[&[usize]]) -> Self {
        let plan = |agency| AgencyPlan { agency, nodes: &["n1", "n2"], clients: &["app", "desk"] };
        let plans = ["bank-a", "bank-b", "bank-c"].map(plan);
        let consortium = Consortium::new("Test", "amop", &plans, now()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let mut nodes = Vec::<Daemon>::new();
        let mut wires = BTreeMap::new();
        for (number, dials) in dials.iter().enumerate() {
            let (agency, label) = NODES[number];
            let mut targets = Vec::new();
            for &other in *dials {
                let wire = Wire::to(nodes[other].p2p_addr()).await;
                targets.push((nodes[other].name().clone(), wire.addr));
                wires.insert((number, other), wire);
            }
            let name = Name::new(label, Role::Node, agency, "amop").unwrap();
            let leaf = consortium.node(agency, label).expect("it was planned");
            let dir = dir.path().join(number.to_string());
            nodes.push(Daemon::start(&dir, &consortium, (&name, leaf), targets).await);
        }
        let net = Self { consortium, nodes, wires, dir };
        for &(a, b) in net.wires.keys() {
            net.is_linked(a, b).await;
            net.is_linked(b, a).await;
        }
        net
    }

    /// Waits until one node has linked with the present life of another.
    pub(crate) async fn is_linked(&self, node: usize, with: usize) {
        let epoch = format!("epoch={}", self.nodes[with].epoch());
        self.nodes[node].says(&["peer linked", &self.shown(with), &epoch]).await;
    }

    /// Waits until one node has lost its link with another.
    pub(crate) async fn is_lost(&self, node: usize, with: usize) {
        self.nodes[node].says(&["peer lost", &self.shown(with)]).await;
    }

    /// Waits until a client is attached to a node.
    pub(crate) async fn is_attached(&self, node: usize, client: &Client) {
        let instance = format!("instance={}", client.instance());
        self.nodes[node].says(&["client attached", &instance]).await;
    }

    /// A client of a node's bank that is attached to that node.
    pub(crate) async fn client(&self, label: &str, node: usize) -> Client {
        self.client_over(label, node, &[self.nodes[node].sdk_addr()]).await
    }

    /// A client of a node's bank that may attach to any of these addresses.
    pub(crate) async fn client_over(
        &self,
        label: &str,
        node: usize,
        endpoints: &[SocketAddr],
    ) -> Client {
        let (agency, _) = NODES[node];
        let leaf = self.consortium.client(agency, label).expect("it was planned");
        let endpoints = endpoints.iter().map(ToString::to_string);
        let builder = endpoints.fold(Client::builder(), ClientBuilder::endpoint);
        let builder = builder.identity(identity(leaf)).trust(self.trust()).timeout(PATIENCE);
        within("a connection", builder.connect()).await.unwrap()
    }

    /// The wire between two nodes, whoever dialed.
    pub(crate) fn wire(&self, a: usize, b: usize) -> &Wire {
        self.wires.get(&(a, b)).or_else(|| self.wires.get(&(b, a))).expect("they have a wire")
    }

    /// Writes what the tool needs to be a client of a node's bank into a new directory.
    pub(crate) fn client_dir(&self, label: &str, node: usize) -> PathBuf {
        let (agency, _) = NODES[node];
        let leaf = self.consortium.client(agency, label).expect("it was planned");
        let dir = self.dir.path().join(format!("{label} {node}"));
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("ca.crt"), self.consortium.root().certificate_pem()).unwrap();
        fs::write(dir.join("sdk.crt"), leaf.chain_pem()).unwrap();
        fs::write(dir.join("sdk.key"), leaf.key_pem()).unwrap();
        dir
    }

    fn trust(&self) -> Trust {
        Trust::from_pem(self.consortium.root().certificate_pem().as_bytes()).unwrap()
    }

    /// How the log names a node as a peer.
    fn shown(&self, node: usize) -> String {
        format!("peer={}", self.nodes[node].name())
    }
}

fn identity(leaf: &Leaf) -> Identity {
    Identity::from_pem(leaf.chain_pem().as_bytes(), leaf.key_pem().as_bytes()).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "certificates are judged by the real time")]
fn now() -> SystemTime {
    SystemTime::now()
}

/// Agency and label of each node.
const NODES: [(&str, &str); 4] =
    [("bank-a", "n1"), ("bank-b", "n1"), ("bank-b", "n2"), ("bank-c", "n1")];
