//! The demo's clients, and what they do again and again.

use amop_sdk::{Client, ClientBuilder, Code, Name, Subscription};
use tokio::task::JoinHandle;

use super::certificates::{Certificates, client_name, node_name};
use super::network::Network;
use crate::exit::chain;

/// Five clients of three banks.
#[derive(Debug)]
pub(super) struct Scene {
    /// Publishes at bank-a/n1.
    pub(super) teller: Client,
    /// Subscribes at bank-a/n1.
    pub(super) branch: Client,
    /// Subscribe at bank-a/n2, bank-b/n1 and bank-c/n1.
    pub(super) desks: [Client; 3],
}

impl Scene {
    /// Attaches each client to its node.
    pub(super) async fn connect(
        certificates: &Certificates,
        network: &Network,
    ) -> Result<Self, String> {
        let attach = |agency, label, node| {
            let endpoints = vec![network.sdk_addr(&node_name(agency, node)).to_string()];
            connect(certificates, client_name(agency, label), endpoints)
        };
        Ok(Self {
            teller: attach("bank-a", "teller", "n1").await?,
            branch: attach("bank-a", "branch", "n1").await?,
            desks: [
                attach("bank-a", "desk", "n2").await?,
                attach("bank-b", "desk", "n1").await?,
                attach("bank-c", "desk", "n1").await?,
            ],
        })
    }

    /// All of them, in the order of their nodes.
    pub(super) fn clients(&self) -> [&Client; 5] {
        let [desk_a, desk_b, desk_c] = &self.desks;
        [&self.teller, &self.branch, desk_a, desk_b, desk_c]
    }
}

/// Connects a client by its certificate to one of several endpoints.
pub(super) async fn connect(
    certificates: &Certificates,
    name: Name,
    endpoints: Vec<String>,
) -> Result<Client, String> {
    let (identity, trust) = certificates.load(&name)?;
    let builder = endpoints.into_iter().fold(Client::builder(), ClientBuilder::endpoint);
    let connected = builder.identity(identity).trust(trust).connect().await;
    connected.map_err(|error| format!("{name} cannot connect: {}", chain(&error)))
}

/// Subscribes, and says who could not.
pub(super) async fn subscribe(client: &Client, topic: &str) -> Result<Subscription, String> {
    let subscribed = client.subscribe(topic).await;
    subscribed.map_err(|error| format!("{} cannot subscribe: {error}", client.name()))
}

/// Waits until the publisher's node knows this many subscribers of the topic.
///
/// A subscription is announced at once, yet it takes a moment to get around. The subscribers must
/// take messages meanwhile; those that say [`PROBE`] are only for this.
pub(super) async fn known(publisher: &Client, topic: &str, wanted: u32) -> Result<(), String> {
    loop {
        let ended = publisher.multicast(topic, PROBE).await;
        let targets = ended.map_err(|error| error.to_string())?.targets;
        if targets == wanted {
            return Ok(());
        }
    }
}

/// Sends a unicast as often as it is certain that nobody has handled it.
pub(super) async fn ask_until_handled(
    publisher: &Client,
    topic: &str,
    payload: &'static str,
) -> Result<amop_sdk::Answer, String> {
    loop {
        match publisher.request(topic, payload).await {
            Ok(answer) => return Ok(answer),
            Err(error) if is_definite(error.code()) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
}

fn is_definite(code: Code) -> bool {
    matches!(code, Code::NoSubscriber | Code::SubscriberUnreachable)
}

/// Answers every unicast of a subscription with the same text, until it is dropped.
#[derive(Debug)]
pub(super) struct Service(JoinHandle<()>);

impl Service {
    pub(super) fn answering(mut subscription: Subscription, text: String) -> Self {
        Self(tokio::spawn(async move {
            while let Some(message) = subscription.next().await {
                // A probe has no answer; whoever asks sees for himself that another is missing.
                let _ = message.reply(text.clone());
            }
        }))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The payload of messages that only find out who would get them.
pub(super) const PROBE: &str = "probe";
