//! A private topic: who holds a listed key reads it, and nobody else does.

use amop_sdk::{Code, Reason, Subscription, generate_key};

use super::report::{Seen, Verdict};
use super::scene::{Scene, Service};
use crate::text::span;

/// Of two subscribers at one node, the one with the listed key gets all, the other one nothing; and once
/// the key is removed, nobody does.
pub(super) async fn private(scene: &Scene) -> Verdict {
    let topic = "salary";
    let [_, desk, _] = &scene.desks;
    let (listed, other) = (generate_key(), generate_key());
    let service = hold(desk, topic, listed.clone()).await?;
    let service = Service::answering(service, "read".to_owned());
    // At the node of the publisher itself, with a key that is on no list.
    let curious = hold(&scene.branch, topic, other).await?;

    let private = scene.teller.private(topic).to([listed.public()]).map_err(|e| e.to_string())?;
    let proved = private.verified().by(&listed.public()).await;
    if proved.instance != desk.instance() {
        return Err("somebody else has proved to hold the key".to_owned());
    }
    let answer = private.request("4711").await.map_err(|error| error.to_string())?;
    let receipt = private.multicast("to all").await.map_err(|error| error.to_string())?;
    if answer.payload != "read" || (receipt.targets, receipt.acked) != (2, 1) {
        return Err(format!("{} of {} took the multicast", receipt.acked, receipt.targets));
    }
    private.remove(&listed.public());
    let removed = match private.request("4712").await {
        Err(error) if error.reason() == Reason::NoVerifiedReceiver => error.code(),
        Err(error) => return Err(format!("not 100 but {error}")),
        Ok(_) => return Err("a removed key still reads".to_owned()),
    };
    if removed != Code::NoSubscriber {
        return Err(format!("not 100 but {removed}"));
    }
    drop((service, curious));
    let took = span(answer.took);
    Ok(Seen::new(format!(
        "`{topic}` for one key: its holder answered in {took}, the other subscriber,"
    ))
    .and("refused what it cannot open; key removed → 100, no verified receiver")
    .number("targets", receipt.targets)
    .number("acked", receipt.acked))
}

async fn hold(
    client: &amop_sdk::Client,
    topic: &str,
    key: amop_sdk::SecretKey,
) -> Result<Subscription, String> {
    let subscribed = client.subscribe_private(topic, key).propagated().await;
    subscribed.map_err(|error| format!("{} cannot subscribe: {error}", client.name()))
}
