//! A private topic: who holds a listed key reads it, and nobody else does: no other subscriber, and no node.

use amop_sdk::{Client, Code, Reason, Subscription, generate_key};

use super::certificates::{Certificates, client_name, node_name};
use super::glass::Glass;
use super::network::Network;
use super::report::{Seen, Verdict};
use super::scene::{Scene, Service, connect};
use crate::text::span;

/// Of two subscribers at one node, the one with the listed key gets all, the other one nothing; once the key is
/// removed, nobody does; and of all that the publisher's node sees, nothing is a word of it.
pub(super) async fn private(
    scene: &Scene,
    certificates: &Certificates,
    network: &Network,
) -> Verdict {
    let topic = "salary";
    let [_, desk, _] = &scene.desks;
    let (teller, home) = (client_name("bank-a", "teller"), node_name("bank-a", "n1"));
    let glass = Glass::before(certificates, &home, network.sdk_addr(&home), &teller)?;
    let publisher = connect(certificates, teller, vec![glass.addr().to_string()]).await?;
    let (listed, other) = (generate_key(), generate_key());
    let service = hold(desk, topic, listed.clone()).await?;
    let service = Service::answering(service, ANSWER.to_owned());
    // At the node of the publisher itself, with a key that is on no list.
    let curious = hold(&scene.branch, topic, other).await?;

    let private = publisher.private(topic).to([listed.public()]).map_err(|e| e.to_string())?;
    let proved = private.verified().by(&listed.public()).await;
    if proved.instance != desk.instance() {
        return Err("somebody else has proved to hold the key".to_owned());
    }
    let answer = private.request(QUESTION).await.map_err(|error| error.to_string())?;
    let receipt = private.multicast(QUESTION).await.map_err(|error| error.to_string())?;
    if answer.payload != ANSWER || (receipt.targets, receipt.acked) != (2, 1) {
        return Err(format!("{} of {} took the multicast", receipt.acked, receipt.targets));
    }
    private.remove(&listed.public());
    let removed = match private.request(QUESTION).await {
        Err(error) if error.reason() == Reason::NoVerifiedReceiver => error.code(),
        Err(error) => return Err(format!("not 100 but {error}")),
        Ok(_) => return Err("a removed key still reads".to_owned()),
    };
    if removed != Code::NoSubscriber {
        return Err(format!("not 100 but {removed}"));
    }
    drop((service, curious));
    look_through(&glass, &publisher).await?;
    let (took, frames) = (span(answer.took), glass.frames());
    Ok(Seen::new(format!(
        "`{topic}` for one key: its holder answered in {took}, the other subscriber,"
    ))
    .and("refused what it cannot open; key removed → 100, no verified receiver;")
    .and(format!("of {frames} frames in the publisher's node, none had a word of it in the clear"))
    .number("targets", receipt.targets)
    .number("acked", receipt.acked)
    .number("frames", frames))
}

/// What the node saw has no word of what was said in private, and has what is said in public.
async fn look_through(glass: &Glass, publisher: &Client) -> Result<(), String> {
    publisher.multicast("notice", PUBLIC).await.map_err(|error| error.to_string())?;
    if !glass.has_seen(PUBLIC) {
        return Err("the node did not see what is public, so that it saw nothing else".to_owned());
    }
    match [QUESTION, ANSWER].into_iter().find(|words| glass.has_seen(words)) {
        None => Ok(()),
        Some(words) => Err(format!("the node has read \"{words}\"")),
    }
}

async fn hold(
    client: &Client,
    topic: &str,
    key: amop_sdk::SecretKey,
) -> Result<Subscription, String> {
    let subscribed = client.subscribe_private(topic, key).propagated().await;
    subscribed.map_err(|error| format!("{} cannot subscribe: {error}", client.name()))
}

const QUESTION: &str = "account 4711: 3,000";

const ANSWER: &str = "3,000 were paid";

const PUBLIC: &str = "closed on Monday";
