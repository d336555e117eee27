//! What private topics cost: verifications each second, and requests on a private topic compared with a public
//! one, 64 in flight, over a real node on loopback.
//!
//! The two are measured in turns in the same run, so that what else the machine does strikes both alike; what
//! counts is the median of their ratios.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant, SystemTime};

use amop_auth::{Entropy, Exit, Identity as Publishing, Publisher, SecretKey, Subscriber};
use amop_auth::{publisher, subscriber};
use amop_node::{Node, NodeConfig, Rates};
use amop_pki::{AgencyPlan, Consortium, Leaf};
use amop_sdk::{Client, Identity, Settings, Subscription, Trust, generate_key};
use amop_wire::{Epoch, Instance, Name, NodeId, Topic};
use anyhow::{Context as _, Result};
use tokio::task::JoinSet;

fn main() -> Result<()> {
    let verified = verifications();
    println!("verifications: {verified:.0}/s, both sides in one thread");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (ratios, public, private) = runtime.block_on(requests())?;
    println!("requests of {PAYLOAD_BYTES} B, {IN_FLIGHT} in flight, through one node:");
    println!("public {public:.0}/s, private {private:.0}/s");
    let (least, most) = (ratios[0], ratios[ratios.len() - 1]);
    println!("ratio {:.2} (median of {ROUNDS}; {least:.2} - {most:.2})", ratios[ratios.len() / 2]);
    Ok(())
}

/// How many subscribers a publisher and they verify in a second.
fn verifications() -> f64 {
    let topic: Topic = "salary".parse().expect("a topic");
    let (publisher_name, name): (Name, Name) = (
        "payroll.sdk.bank-a.amop".parse().expect("a name"),
        "hr.sdk.bank-c.amop".parse().expect("a name"),
    );
    let exit = Exit { node: NodeId::from_bytes([1; 32]), epoch: Epoch(1) };
    let key = SecretKey::generate(&mut Entropy::new([7; 32]));
    let from = Instance(1);
    let certificate = [1; 32];
    let identity = Publishing { name: publisher_name.clone(), certificate, instance: from };
    let mut sender = Publisher::new(identity, Entropy::new([8; 32]));
    let now = amop_wire::Instant::default();
    let keys = [key.public()].into();
    sender.handle(now, publisher::Input::Allow { topic: topic.clone(), keys });
    let begun = clock();
    for number in 0..VERIFICATIONS {
        let to = Instance(100 + number);
        let mut receiver = Subscriber::new(name.clone(), to, Entropy::new([9; 32]));
        receiver.handle(now, subscriber::Input::Attached(exit));
        let subscribe = subscriber::Input::Subscribe { topic: topic.clone(), key: key.clone() };
        receiver.handle(now, subscribe);
        let appeared = publisher::Input::Appeared { topic: topic.clone(), subscriber: to, exit };
        sender.handle(now, appeared);
        while let Some(effect) = sender.poll_effect() {
            let publisher::Effect::Send { topic, message, .. } = effect else { continue };
            let name = publisher_name.clone();
            receiver.handle(now, subscriber::Input::Message { topic, from, name, message });
            while let Some(effect) = receiver.poll_effect() {
                let subscriber::Effect::Send { topic, message, .. } = effect else { continue };
                sender.handle(now, publisher::Input::Message { topic, from: to, message });
            }
        }
    }
    let span = begun.elapsed();
    let amop_auth::Receivers::Verified(all) = sender.receivers(now, &topic) else {
        return 0.0; // What is shown then cannot be overlooked.
    };
    all.len() as f64 / span.as_secs_f64()
}

/// The ratios of all rounds in their order, and the last rates.
async fn requests() -> Result<(Vec<f64>, f64, f64)> {
    let agency = AgencyPlan { agency: "bank-a", nodes: &["n1"], clients: &["app", "other"] };
    let consortium = Consortium::new("Bench", "amop", &[agency], wall())?;
    let trust = Trust::from_pem(consortium.root().certificate_pem().as_bytes())?;
    let identity =
        |leaf: &Leaf| Identity::from_pem(leaf.chain_pem().as_bytes(), leaf.key_pem().as_bytes());
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let config = NodeConfig {
        identity: identity(consortium.node("bank-a", "n1").context("it was planned")?)?,
        trust: trust.clone(),
        p2p_listen: any,
        sdk_listen: any,
        peers: Vec::new(),
        settings: Settings::default(),
        workers: 1,
        rates: Rates::default(),
    };
    let node = Node::start(config).await?;
    let mut clients = Vec::new();
    for label in ["app", "other"] {
        let leaf = consortium.client("bank-a", label).context("it was planned")?;
        let builder = Client::builder().endpoint(node.sdk_addr().to_string());
        clients.push(builder.identity(identity(leaf)?).trust(trust.clone()).connect().await?);
    }
    let [sender, receiver] = &clients[..] else { unreachable!("two were connected") };
    let key = generate_key();
    tokio::spawn(echo(receiver.subscribe("public").await?));
    tokio::spawn(echo(receiver.subscribe_private("private", key.clone()).await?));
    let private = sender.private("private").to([key.public()])?;
    private.verified().by(&key.public()).await;

    let mut ratios = Vec::new();
    let mut rates = (0.0, 0.0);
    for _ in 0..ROUNDS {
        rates = (rate(sender, "public").await?, rate(sender, "private").await?);
        ratios.push(rates.1 / rates.0);
    }
    ratios.sort_unstable_by(f64::total_cmp);
    Ok((ratios, rates.0, rates.1))
}

/// How many requests are answered in a second.
async fn rate(sender: &Client, topic: &'static str) -> Result<f64> {
    let begun = clock();
    let mut asking = JoinSet::new();
    for _ in 0..IN_FLIGHT {
        let sender = sender.clone();
        asking.spawn(async move {
            let mut answered = 0_u32;
            while begun.elapsed() < ROUND {
                sender.request(topic, vec![7; PAYLOAD_BYTES]).await?;
                answered += 1;
            }
            anyhow::Ok(answered)
        });
    }
    let mut answered = 0;
    while let Some(ended) = asking.join_next().await {
        answered += ended??;
    }
    Ok(f64::from(answered) / begun.elapsed().as_secs_f64())
}

/// Answers every request with its own payload.
async fn echo(mut subscription: Subscription) {
    while let Some(message) = subscription.next().await {
        let payload = message.payload().clone();
        if message.reply(payload).is_err() {
            return; // The client is closed.
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn clock() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "certificates are judged by the real time")]
fn wall() -> SystemTime {
    SystemTime::now()
}

const VERIFICATIONS: u64 = 500;
const IN_FLIGHT: usize = 64;
const PAYLOAD_BYTES: usize = 100;
const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_secs(1);
