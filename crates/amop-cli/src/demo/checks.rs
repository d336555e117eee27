//! What the network does while everybody is well.

use std::collections::BTreeMap;
use std::time::Duration;

use amop_sdk::{Bytes, Client, Code, Message, Mode, Subscription};

use super::report::{Seen, Verdict};
use super::scene::{PROBE, Scene, Service, known, subscribe};
use crate::clock;
use crate::text::span;

/// Requests from one bank reach subscribers at all of them, and each gets its share.
pub(super) async fn unicast(scene: &Scene) -> Verdict {
    let topic = "quote";
    let mut services = Vec::new();
    for desk in &scene.desks {
        let subscription = subscribe(desk, topic).await?;
        services.push(Service::answering(subscription, desk.name().to_string()));
    }
    known(&scene.teller, topic, count(&scene.desks)).await?;

    let mut answers: BTreeMap<Bytes, u32> = BTreeMap::new();
    let mut took = Vec::new();
    for _ in 0..REQUESTS {
        let answer = scene.teller.request(topic, "USDCNY").await.map_err(|e| e.to_string())?;
        took.push(answer.took);
        *answers.entry(answer.payload).or_default() += 1;
    }
    took.sort_unstable();
    let percentile = |percent: usize| took[took.len() * percent / 100];
    let (p50, p99) = (percentile(50), percentile(99));

    let shares = |desk: &Client| answers.get(desk.name().to_string().as_bytes()).copied();
    let shares: Vec<u32> = scene.desks.iter().map(|desk| shares(desk).unwrap_or(0)).collect();
    if let Some(share) = shares.iter().find(|&&share| share * 100 < REQUESTS * SHARE_PERCENT_MIN) {
        return Err(format!("a subscriber got {share} of {REQUESTS} requests: {shares:?}"));
    }
    let listed = shares.iter().map(u32::to_string).collect::<Vec<_>>().join(" / ");
    let (shown50, shown99) = (span(p50), span(p99));
    Ok(Seen::new(format!("{REQUESTS} requests to `{topic}` over 3 subscribers, all answered"))
        .and(format!("shares {listed}   p50 {shown50}  p99 {shown99}"))
        .number("requests", REQUESTS)
        .number("shares", shares)
        .number("p50_us", micros(p50))
        .number("p99_us", micros(p99)))
}

/// A message reaches subscribers on all nodes, each of them once.
pub(super) async fn multicast(scene: &Scene) -> Verdict {
    let topic = "rates";
    let mut collectors = Vec::new();
    for client in [&scene.branch].into_iter().chain(&scene.desks) {
        let subscription = subscribe(client, topic).await?;
        collectors.push((client.name(), tokio::spawn(copies_until_last(subscription))));
    }
    let targets = count(&collectors);
    known(&scene.teller, topic, targets).await?;

    let receipt = scene.teller.multicast(topic, "rates").await.map_err(|e| e.to_string())?;
    // A second copy would come before what was sent later.
    scene.teller.multicast(topic, LAST).await.map_err(|e| e.to_string())?;
    let mut deliveries = 0;
    for (name, collector) in collectors {
        let copies = collector.await.map_err(|error| error.to_string())??;
        if copies != 1 {
            return Err(format!("{name} got the message {copies} times"));
        }
        deliveries += copies;
    }
    if (receipt.targets, receipt.acked) != (targets, targets) {
        let (acked, tried) = (receipt.acked, receipt.targets);
        return Err(format!("the receipt says {acked} of {tried}, not {targets} of {targets}"));
    }
    let line = format!(
        "1 message, {targets} subscribers on {targets} nodes, {deliveries} deliveries, 0 duplicates"
    );
    Ok(Seen::new(line)
        .and(format!("receipt: {} of {targets} took it", receipt.acked))
        .number("targets", targets)
        .number("acked", receipt.acked)
        .number("deliveries", deliveries))
}

/// A subscriber on the publisher's own node is one like all others.
pub(super) async fn same_node(scene: &Scene) -> Verdict {
    let topic = "local";
    let mut subscription = subscribe(&scene.branch, topic).await?;
    let branch = async {
        let mut modes = Vec::new();
        while modes.len() < 2 {
            let message = subscription.next().await.ok_or("the subscription has ended")?;
            modes.push(message.mode());
            if message.mode() == Mode::Unicast {
                message.reply("here").map_err(|error| error.to_string())?;
            }
        }
        Ok::<_, String>(modes)
    };
    let teller = async {
        let answer = scene.teller.request(topic, "who?").await.map_err(|e| e.to_string())?;
        let receipt = scene.teller.multicast(topic, "all").await.map_err(|e| e.to_string())?;
        Ok::<_, String>((answer, receipt))
    };
    let (modes, (answer, receipt)) = tokio::try_join!(branch, teller)?;

    if modes != [Mode::Unicast, Mode::Multicast] || answer.payload != "here" {
        return Err(format!("the subscriber got {modes:?}"));
    }
    if (receipt.targets, receipt.acked) != (1, 1) {
        return Err(format!("the receipt says {} of {}", receipt.acked, receipt.targets));
    }
    let took = span(answer.took);
    Ok(Seen::new(format!("publisher and subscriber on bank-a/n1: unicast answered in {took},"))
        .and("multicast delivered")
        .number("unicast_us", micros(answer.took)))
}

/// Nobody subscribes: whoever publishes learns it at once, not after the timeout.
pub(super) async fn nobody(scene: &Scene) -> Verdict {
    let begun = clock::moment();
    let took = match scene.teller.request("nobody-listens", "?").await {
        Err(error) if error.code() == Code::NoSubscriber => begun.elapsed(),
        Err(error) => return Err(format!("not 100 but {error}")),
        Ok(_) => return Err("somebody has answered".to_owned()),
    };
    if took > AT_ONCE {
        return Err(format!("100 came after {}", span(took)));
    }
    let receipt = scene.teller.multicast("nobody-listens", "?").await.map_err(|e| e.to_string())?;
    if receipt.targets != 0 {
        return Err(format!("the multicast had {} targets", receipt.targets));
    }
    let shown = span(took);
    Ok(Seen::new(format!("unicast → 100 after {shown} (the deadline was 5 s): never handled"))
        .and("multicast → 0, with 0 targets")
        .number("unicast_us", micros(took)))
}

/// The handler takes too long: the publisher learns at the deadline that nobody knows.
pub(super) async fn too_slow(scene: &Scene, deadline: Duration) -> Verdict {
    let topic = "slow";
    let [_, _, desk] = &scene.desks;
    let mut subscription = subscribe(desk, topic).await?;
    let publisher = async {
        known(&scene.teller, topic, 1).await?;
        let begun = clock::moment();
        let ended = scene.teller.request(topic, "take your time").timeout(deadline).await;
        Ok::<_, String>((ended, begun.elapsed()))
    };
    // The handler keeps the message until the publisher has its code.
    let (asked, message) = tokio::join!(publisher, next_unicast(&mut subscription));
    let (ended, took) = asked?;
    drop(message?);
    let error = match ended {
        Err(error) if error.code() == Code::TimedOut => error,
        Err(error) => return Err(format!("not 102 but {error}")),
        Ok(_) => return Err("somebody has answered".to_owned()),
    };
    if !error.may_have_been_handled() {
        return Err("102 claims that it was never handled".to_owned());
    }
    if took < deadline || took > deadline + OUTCOME_DELAY_MAX {
        return Err(format!("102 came after {}, not at {}", span(took), span(deadline)));
    }
    let (shown, wanted) = (span(took), span(deadline));
    Ok(Seen::new(format!("102 after {shown} (the deadline was {wanted}): may have been handled"))
        .number("unicast_us", micros(took)))
}

/// Counts what comes before [`LAST`], without the probes.
async fn copies_until_last(mut subscription: Subscription) -> Result<u32, String> {
    let mut copies = 0;
    loop {
        let message = subscription.next().await.ok_or("the subscription has ended")?;
        match message.payload() {
            payload if payload == PROBE => {}
            payload if payload == LAST => return Ok(copies),
            _ => copies += 1,
        }
    }
}

async fn next_unicast(subscription: &mut Subscription) -> Result<Message, String> {
    loop {
        let message = subscription.next().await.ok_or("the subscription has ended")?;
        if message.mode() == Mode::Unicast {
            return Ok(message);
        }
    }
}

fn count<T>(subscribers: &[T]) -> u32 {
    u32::try_from(subscribers.len()).expect("the demo is small")
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

/// So many that a fair choice gives nobody less than [`SHARE_PERCENT_MIN`] but once in 10 million
/// runs.
const REQUESTS: u32 = 200;

/// Of three subscribers, each has a third of the requests on average.
const SHARE_PERCENT_MIN: u32 = 15;

/// Well below the timeout of 5 s, even on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(1);

/// How much later than its deadline a publish may end, by the contract.
const OUTCOME_DELAY_MAX: Duration = Duration::from_millis(500);

/// The payload of the last message of a check.
const LAST: &str = "last";
