//! What the network does when a node ends, and when somebody comes who does not belong to it.

use amop_node::{Node, Status};
use amop_sdk::{Client, Event, Events, Name};

use super::certificates::{Certificates, client_name, foreigner, node_name};
use super::network::Network;
use super::report::{Seen, Verdict};
use super::scene::{Scene, Service, ask_until_handled, connect, subscribe};
use crate::clock;
use crate::exit::chain;
use crate::text::{millis, span};

/// A client whose node ends moves to its other endpoint by itself, with its subscription.
pub(super) async fn failover(
    scene: &Scene,
    certificates: &Certificates,
    network: &mut Network,
) -> Verdict {
    let topic = "orders";
    let (one, other) = (node_name("bank-a", "n1"), node_name("bank-a", "n2"));
    let (client, first) = attach(certificates, network, &one, &other).await?;
    let subscription = subscribe(&client, topic).await?;
    let _service = Service::answering(subscription, "done".to_owned());
    let [_, asker, _] = &scene.desks;
    ask_until_handled(asker, topic, "before").await?;

    let mut events = client.events();
    let begun = clock::moment();
    network.stop(&first).await?;
    let second = connected(&mut events).await?;
    let moved = begun.elapsed();
    let answer = ask_until_handled(asker, topic, "after").await?;
    let took = begun.elapsed();

    if answer.answered_by.as_ref() != Some(&second) || second == first {
        return Err(format!("{first} was stopped, {:?} answered", answer.answered_by));
    }
    let (shown, arrived) = (span(moved), span(took));
    Ok(Seen::new(format!("{first} stopped: its client moved to {second} within {shown},"))
        .and(format!("the next message to its subscription was answered after {arrived}"))
        .number("moved_ms", millis(moved))
        .number("answered_ms", millis(took)))
}

/// A certificate of another consortium is refused, and the one who shows it is told why.
pub(super) async fn stranger(certificates: &Certificates, network: &Network) -> Verdict {
    let node = network.running().next().ok_or("no node runs")?;
    let (_, trust) = certificates.load(&client_name("bank-a", "teller"))?;
    let builder = Client::builder().endpoint(node.sdk_addr().to_string());
    let error = match builder.identity(foreigner()?).trust(trust).connect().await {
        Ok(client) => return Err(format!("{} was let in", client.name())),
        Err(error) => error,
    };
    let text = chain(&error);
    match (error.was_refused(), text.find(REFUSAL)) {
        (true, Some(begin)) => Ok(Seen::new(format!("{} to its client:", node.name()))
            .and(format!("\"{}\"", &text[begin..]))),
        _ => Err(format!("it was not refused for its certificate: {text}")),
    }
}

/// Attaches a client to one of two nodes, and finds out which.
async fn attach(
    certificates: &Certificates,
    network: &Network,
    one: &Name,
    other: &Name,
) -> Result<(Client, Name), String> {
    let one = network.node(one).ok_or("a node does not run")?;
    let other = network.node(other).ok_or("a node does not run")?;
    let count = |node: &Node| node.status().borrow().clients;
    let (at_one, at_other) = (count(one), count(other));
    let endpoints = [one, other].map(|node| node.sdk_addr().to_string()).to_vec();
    let client = connect(certificates, client_name("bank-a", "desk"), endpoints).await?;
    let (mut status_of_one, mut status_of_other) = (one.status(), other.status());
    let grown = |before: usize| move |status: &Status| status.clients > before;
    let node = tokio::select! {
        _ = status_of_one.wait_for(grown(at_one)) => one,
        _ = status_of_other.wait_for(grown(at_other)) => other,
    };
    Ok((client, node.name().clone()))
}

/// Waits until the client is connected again, and says to which node.
async fn connected(events: &mut Events) -> Result<Name, String> {
    loop {
        match events.next().await {
            Some(Event::Connected { node, .. }) => return Ok(node),
            Some(_) => {}
            None => return Err("the client has ended".to_owned()),
        }
    }
}

/// How the sentence about a refused certificate begins.
const REFUSAL: &str = "certificate ";
