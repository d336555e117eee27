//! What the network does when not every node is linked with every other.

use std::time::Duration;

use amop_sdk::Client;

use super::certificates::{Certificates, client_name, node_name};
use super::network::{Network, Shape};
use super::report::{Seen, Verdict};
use super::scene::{Service, ask_until_handled, connect, known, subscribe};
use crate::clock;
use crate::text::{millis, span};

/// Four nodes in a line: a message from one end to the other crosses the two between.
pub(super) async fn relays(certificates: &Certificates) -> Verdict {
    let network = Network::start(certificates, Shape::Line).await?;
    let (asker, desk) = ends(certificates, &network, ("bank-c", "n1")).await?;
    let subscription = subscribe(&desk, TOPIC).await?;
    let _service = Service::answering(subscription, "far away".to_owned());
    let begun = clock::moment();
    known(&asker, TOPIC, 1).await?;
    let found = begun.elapsed();
    let answer = ask_until_handled(&asker, TOPIC, "how far?").await?;
    if answer.answered_by.as_ref() != Some(&node_name("bank-c", "n1")) {
        return Err(format!("{:?} answered", answer.answered_by));
    }
    let (took, found) = (span(answer.took), span(found));
    Ok(Seen::new("bank-a/n1 ─ bank-a/n2 ─ bank-b/n1 ─ bank-c/n1, linked in a line:")
        .and(format!("an answer over two relays in {took}; the subscriber was known after {found}"))
        .number("unicast_us", u64::try_from(answer.took.as_micros()).unwrap_or(u64::MAX)))
}

/// Four nodes in a ring: whichever of the two ways is cut, the next message takes the other.
pub(super) async fn detour(certificates: &Certificates) -> Verdict {
    let mut network = Network::start(certificates, Shape::Ring).await?;
    let (asker, desk) = ends(certificates, &network, ("bank-b", "n1")).await?;
    let subscription = subscribe(&desk, TOPIC).await?;
    let _service = Service::answering(subscription, "this way".to_owned());
    known(&asker, TOPIC, 1).await?;
    let mut longest = Duration::ZERO;
    for (agency, label) in [("bank-a", "n2"), ("bank-c", "n1")] {
        let relay = node_name(agency, label);
        let begun = clock::moment();
        network.stop(&relay).await?;
        // A message that is sent before the cut is noticed may be lost: then nobody knows.
        network.unlinked(&relay).await?;
        ask_until_handled(&asker, TOPIC, "still there?").await?;
        longest = longest.max(begun.elapsed());
        network.restart().await?;
        known(&asker, TOPIC, 1).await?;
    }
    let took = span(longest);
    Ok(Seen::new("bank-a/n1 and bank-b/n1, two ways between them: each cut once,")
        .and(format!("the next message was answered over the other after at most {took}"))
        .number("answered_ms", millis(longest)))
}

/// A client at bank-a/n1 and one at the node of another bank.
async fn ends(
    certificates: &Certificates,
    network: &Network,
    (agency, label): (&'static str, &'static str),
) -> Result<(Client, Client), String> {
    let at = |node| vec![network.sdk_addr(&node).to_string()];
    let asker =
        connect(certificates, client_name("bank-a", "teller"), at(node_name("bank-a", "n1")));
    let desk = connect(certificates, client_name(agency, "desk"), at(node_name(agency, label)));
    tokio::try_join!(asker, desk)
}

const TOPIC: &str = "far";
