//! What private topics cost: handshakes each second, and sealed requests and answers compared with those of a
//! public topic, 64 in flight, over real nodes on loopback.
//!
//! Between two institutions there are two nodes, and each client has a thread of its own. With one node and both
//! clients on one thread, the whole cost of sealing lies on the thread that has the most to do: it cannot be worse.
//!
//! The two are measured in turns in the same run, and now the one comes first, now the other, so that what else
//! the machine does strikes both alike; what counts is the median of their ratios. CPU time, of node and both
//! clients together, hardly notices a busy machine; there is none where `/proc` is not.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use amop_auth::{Entropy, Exit, Identity as Publishing, Publisher, SecretKey, Subscriber};
use amop_auth::{publisher, subscriber};
use amop_node::{Limits, Node, NodeConfig};
use amop_p2p::Target;
use amop_pki::{AgencyPlan, Consortium, Leaf};
use amop_sdk::{Client, ClientBuilder, Identity, Settings, Subscription, Trust, generate_key};
use amop_wire::{Epoch, Instance, Name, NodeId, Topic};
use anyhow::{Context as _, Result};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

fn main() -> Result<()> {
    let handshakes = spread((0..ROUNDS).map(|_| handshakes()).collect());
    println!("handshakes (challenge, proof, confirmation; both ends on one thread):");
    println!("  each second           {handshakes:.0}");
    for (scene, told) in [
        (Scene::Two, "through two nodes, each client on its own thread"),
        (Scene::One, "through one node, both clients on one thread"),
    ] {
        report(told, &runtime()?.block_on(requests(scene))?);
    }
    println!("median of {ROUNDS} rounds [least – most]");
    Ok(())
}

fn report(told: &str, rounds: &[(Run, Run)]) {
    let of = |value: fn(&(Run, Run)) -> f64| spread(rounds.iter().map(value).collect());
    println!("requests and answers of {PAYLOAD_BYTES} B, {IN_FLIGHT} in flight, {told}:");
    println!("  public, each second   {:.0}", of(|(public, _)| public.rate));
    println!("  private, each second  {:.0}", of(|(_, private)| private.rate));
    println!("  private / public      {:.2}", of(|(public, private)| private.rate / public.rate));
    if rounds.iter().all(|(public, private)| public.cpu_us.min(private.cpu_us) > 0.0) {
        println!("CPU time of each, in µs, of nodes and clients together:");
        println!("  public                {:.1}", of(|(public, _)| public.cpu_us));
        println!("  private               {:.1}", of(|(_, private)| private.cpu_us));
        println!(
            "  public / private      {:.2}",
            of(|(public, private)| public.cpu_us / private.cpu_us)
        );
    }
}

/// Where the clients are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scene {
    /// At one node, and both on one thread.
    One,
    /// At a node each, and on a thread each.
    Two,
}

/// A median, and the range that it is of.
struct Spread {
    median: f64,
    least: f64,
    most: f64,
}

fn spread(mut values: Vec<f64>) -> Spread {
    values.sort_unstable_by(f64::total_cmp);
    let (least, most) = (values[0], values[values.len() - 1]);
    Spread { median: values[values.len() / 2], least, most }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.median.fmt(f)?;
        f.write_str(" [")?;
        self.least.fmt(f)?;
        f.write_str(" – ")?;
        self.most.fmt(f)?;
        f.write_str("]")
    }
}

/// What one topic did for a while.
struct Run {
    /// Answers each second.
    rate: f64,
    /// CPU time of each, in microseconds; 0 if it is not known.
    cpu_us: f64,
}

/// How many subscribers a publisher and they verify in a second.
fn handshakes() -> f64 {
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

/// What the public and the private topic did in each round.
async fn requests(scene: Scene) -> Result<Vec<(Run, Run)>> {
    let plan = |agency| AgencyPlan { agency, nodes: &["n1"], clients: &["app", "other"] };
    let consortium = Consortium::new("Bench", "amop", &[plan("bank-a"), plan("bank-b")], wall())?;
    let mut nodes = vec![start(&consortium, "bank-a", &[]).await?];
    let (at, label) = match scene {
        Scene::One => ("bank-a", "other"),
        Scene::Two => {
            nodes.push(start(&consortium, "bank-b", &nodes).await?);
            ("bank-b", "app")
        }
    };
    let receiver = client(&consortium, at, label, &nodes[nodes.len() - 1])?;
    let key = generate_key();
    let public_key = key.public();
    let (ready, is_ready) = oneshot::channel();
    let answers = answer(receiver, key, ready);
    match scene {
        Scene::One => drop(tokio::spawn(answers)),
        Scene::Two => drop(thread::spawn(move || runtime()?.block_on(answers))),
    }
    is_ready.await.context("the subscriber failed")?;

    let sender = client(&consortium, "bank-a", "app", &nodes[0])?.connect().await?;
    let private = sender.private("private").to([public_key])?;
    private.verified().by(&public_key).await;
    let mut rounds = Vec::new();
    for round in 0..ROUNDS {
        rounds.push(if round % 2 == 0 {
            let public = run(&sender, "public").await?;
            (public, run(&sender, "private").await?)
        } else {
            let private = run(&sender, "private").await?;
            (run(&sender, "public").await?, private)
        });
    }
    Ok(rounds)
}

/// Starts the node of an agency, which links with these.
async fn start(consortium: &Consortium, agency: &str, peers: &[Node]) -> Result<Node> {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let peer = |node: &Node| {
        let expected = Some(node.name().clone());
        (node.name().clone(), vec![Target { addr: node.p2p_addr().to_string(), expected }])
    };
    let config = NodeConfig {
        identity: identity(consortium.node(agency, "n1").context("it was planned")?)?,
        trust: Trust::from_pem(consortium.root().certificate_pem().as_bytes())?,
        p2p_listen: any,
        sdk_listen: any,
        peers: peers.iter().map(peer).collect(),
        settings: Settings::default(),
        workers: 1,
        limits: Limits::default(),
        access: amop_node::Access::default(),
    };
    Ok(Node::start(config).await?)
}

fn client(
    consortium: &Consortium,
    agency: &str,
    label: &str,
    node: &Node,
) -> Result<ClientBuilder> {
    let leaf = consortium.client(agency, label).context("it was planned")?;
    let trust = Trust::from_pem(consortium.root().certificate_pem().as_bytes())?;
    let builder = Client::builder().identity(identity(leaf)?).trust(trust);
    Ok(builder.endpoint(node.sdk_addr().to_string()))
}

fn identity(leaf: &Leaf) -> Result<Identity> {
    Ok(Identity::from_pem(leaf.chain_pem().as_bytes(), leaf.key_pem().as_bytes())?)
}

/// Subscribes to both topics, and answers every request with its own payload.
async fn answer(client: ClientBuilder, key: SecretKey, ready: oneshot::Sender<()>) -> Result<()> {
    let client = client.connect().await?;
    let public = client.subscribe("public").await?;
    let private = client.subscribe_private("private", key).await?;
    // Who does not wait any more has failed, and says so.
    let _ = ready.send(());
    tokio::join!(echo(public), echo(private));
    Ok(())
}

/// Asks for a while, with so many requests open all the time.
async fn run(sender: &Client, topic: &'static str) -> Result<Run> {
    let (begun, cpu_before) = (clock(), cpu_us());
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
    let (answered, cpu_us) = (f64::from(answered), cpu_us() - cpu_before);
    Ok(Run { rate: answered / begun.elapsed().as_secs_f64(), cpu_us: cpu_us / answered })
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

fn runtime() -> Result<Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

/// The CPU time of all threads of this process so far, in microseconds, to 10 ms; 0 if it is not known.
fn cpu_us() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name of the program, which may hold anything, ends with the last parenthesis.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace();
    let ticks: f64 = fields.skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    ticks * 10_000.0
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
const PAYLOAD_BYTES: usize = 256;
const ROUNDS: usize = 9;
const ROUND: Duration = Duration::from_secs(1);
