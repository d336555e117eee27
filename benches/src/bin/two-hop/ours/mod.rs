//! AMOP itself: clients of the SDK, each at a daemon.

mod file;
mod node;
mod publisher;
mod subscriber;

pub(crate) use file::{run_file_receiver, run_file_sender};
pub(crate) use node::start_nodes;
pub(crate) use publisher::run_publisher;
pub(crate) use subscriber::{run_crowd, run_subscribers};

use std::fs;
use std::path::Path;
use std::time::Duration;

use amop_sdk::{Client, Identity, Trust};
use anyhow::{Context, Result};

use crate::certs::{self, Party};
use crate::door::Door;

/// What clients of one party need to connect to one node.
#[derive(Clone, Debug)]
struct Access {
    node: Door,
    identity: Identity,
    trust: Trust,
}

impl Access {
    /// Reads the party's certificates.
    fn read(dir: &Path, party: Party, node: Door) -> Result<Self> {
        let read =
            |path: &Path| fs::read(path).with_context(|| format!("cannot read {}", path.display()));
        let trust = Trust::from_pem(&read(&certs::root(dir))?)?;
        let identity = Identity::from_pem(&read(&party.chain(dir))?, &read(&party.key(dir))?)?;
        Ok(Self { node, identity, trust })
    }

    /// Connects one client.
    async fn connect(&self) -> Result<Client> {
        let (identity, trust) = (self.identity.clone(), self.trust.clone());
        let builder = Client::builder().endpoint(self.node.addr.to_string());
        let connecting = builder.identity(identity).trust(trust).timeout(PATIENCE).connect();
        connecting.await.context("cannot connect to the node")
    }
}

/// What the subscribers subscribe to.
const TOPIC: &str = "bench.two-hop";

/// How long a publish or a connect may take. Only a case that is stuck takes that long.
const PATIENCE: Duration = Duration::from_secs(10);
