//! One client process: it subscribes or publishes as it is told, and keeps a diary.
//!
//! It goes on until its standard input ends, then publishes no more, waits for the ends of what is under
//! way, and exits.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use amop_sdk::{
    Client, ClientBuilder, Identity, Mode, MulticastReceipt, PublishError, Subscription, Trust,
};
use amop_sim::answer_to;
use anyhow::{Context, Result};
use bytes::Bytes;
use tokio::io::AsyncReadExt;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::clock::{micros, now};
use crate::diary::{Diary, Line};
use crate::offered::Counts;

/// What a client process does.
#[derive(Debug, clap::Args)]
pub(crate) struct ClientArgs {
    /// Where `ca.crt`, `sdk.crt` and `sdk.key` are.
    #[arg(long)]
    dir: PathBuf,
    /// Where its nodes are.
    #[arg(long)]
    endpoint: Vec<String>,
    /// Where to write.
    #[arg(long)]
    diary: PathBuf,
    /// Whether it subscribes to everything.
    #[arg(long)]
    subscribe: bool,
    /// How many unicasts it publishes a second.
    #[arg(long, default_value_t = 0)]
    unicasts: u64,
    /// How many multicasts it publishes a second.
    #[arg(long, default_value_t = 0)]
    multicasts: u64,
    /// How long they may take, in milliseconds.
    #[arg(long, default_value_t = 10_000)]
    timeout_ms: u64,
    /// How long their payload is.
    #[arg(long, default_value_t = 200)]
    payload_bytes: usize,
    /// Whether a message counts from when the client takes it, not from the call.
    #[arg(long)]
    from_acceptance: bool,
    /// How many messages may wait until the client takes them; what is offered beyond that is counted and not published.
    #[arg(long, default_value_t = u64::MAX)]
    waiting_max: u64,
    /// After how long it takes nothing of what it is handed, in milliseconds ...
    #[arg(long)]
    rest_after_ms: Option<u64>,
    /// ... and for how long.
    #[arg(long, default_value_t = 0)]
    rest_ms: u64,
}

/// Is a client until the standard input ends.
///
/// # Errors
///
/// Fails if it cannot connect or subscribe.
pub(crate) async fn run(args: ClientArgs) -> Result<()> {
    let diary = Arc::new(Diary::create(&args.diary)?);
    let client = connect(&args).await?;
    let mut services = JoinSet::new();
    if args.subscribe {
        for topic in [WORK, NEWS] {
            let subscription = client.subscribe(topic).propagated().await?;
            let rest = args.rest_after_ms.map(|after| (millis(after), millis(args.rest_ms)));
            services.spawn(serve(subscription, client.clone(), Arc::clone(&diary), rest));
        }
    }
    println!("ready");
    let (began, counts) = (now(), Arc::<Counts>::default());
    let kind = Kind {
        timeout: millis(args.timeout_ms),
        payload: Bytes::from(vec![7; args.payload_bytes]),
        from_acceptance: args.from_acceptance,
        waiting_max: args.waiting_max,
        counts: Arc::clone(&counts),
    };
    let unicasts = pump(&client, &diary, (Mode::Unicast, args.unicasts), &kind);
    let multicasts = pump(&client, &diary, (Mode::Multicast, args.multicasts), &kind);
    let mut under_way = JoinSet::new();
    under_way.spawn(unicasts);
    under_way.spawn(multicasts);
    wait_for_the_end().await;
    under_way.abort_all();
    let lasted = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let mut grace = interval(Duration::from_millis(50));
    while client.under_way() > 0 {
        grace.tick().await;
    }
    client.close().await;
    // What they were handed before counts as taken, so it must stand in the diary.
    while services.join_next().await.is_some() {}
    println!("{}", counts.within(lasted));
    Ok(())
}

async fn connect(args: &ClientArgs) -> Result<Client> {
    let read = |name: &str| {
        let path = args.dir.join(name);
        std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
    };
    let identity = Identity::from_pem(&read("sdk.crt")?, &read("sdk.key")?)?;
    let trust = Trust::from_pem(&read("ca.crt")?)?;
    let builder = Client::builder().identity(identity).trust(trust).timeout(PATIENCE);
    let builder = args.endpoint.iter().fold(builder, ClientBuilder::endpoint);
    Ok(builder.connect().await?)
}

/// What is published.
#[derive(Clone, Debug)]
struct Kind {
    timeout: Duration,
    payload: Bytes,
    from_acceptance: bool,
    waiting_max: u64,
    counts: Arc<Counts>,
}

async fn serve(
    mut subscription: Subscription,
    client: Client,
    diary: Arc<Diary>,
    mut rest: Option<(Duration, Duration)>,
) {
    let by = client.instance();
    let began = now();
    while let Some(message) = subscription.next().await {
        if let Some((_, rest)) = rest.take_if(|(after, _)| began.elapsed() > *after) {
            sleep(rest).await;
        }
        let id = message.id();
        if let Some(gap) = message.gap() {
            diary.write(&Line::Missed { id, by, count: gap.count });
        }
        diary.write(&Line::Handled { id, at: micros(), by });
        if message.mode() == Mode::Unicast {
            // Where it is too late, the publisher says so.
            let _ = message.reply(answer_to(id, by));
        }
    }
}

/// Publishes at a steady rate, whatever becomes of it.
fn pump(
    client: &Client,
    diary: &Arc<Diary>,
    (mode, per_second): (Mode, u64),
    kind: &Kind,
) -> impl Future<Output = ()> + use<> {
    let (client, diary, kind) = (client.clone(), Arc::clone(diary), kind.clone());
    async move {
        if per_second == 0 {
            return std::future::pending().await;
        }
        let mut ticks = interval(Duration::from_secs(1) / u32::try_from(per_second).unwrap_or(1));
        // A tick that comes late takes nothing off the rate.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        loop {
            let due = ticks.tick().await;
            // But an application that stood still does not make up for it.
            if due.elapsed() > STOOD_STILL {
                ticks.reset();
            }
            if kind.counts.may_call(kind.waiting_max) {
                tokio::spawn(publish(client.clone(), Arc::clone(&diary), mode, kind.clone()));
            }
        }
    }
}

async fn publish(client: Client, diary: Arc<Diary>, mode: Mode, kind: Kind) {
    let Kind { timeout, payload, from_acceptance, counts, .. } = kind;
    let timeout_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
    let called = micros();
    let published = |id| {
        counts.has_waited(true);
        let at = if from_acceptance { micros() } else { called };
        let timeout_ms = timeout_ms.saturating_sub((at - called) / 1000);
        diary.write(&Line::Published { id, mode, at, timeout_ms });
    };
    let not_taken = |error| {
        counts.has_waited(false);
        failed(&diary, &error);
    };
    match mode {
        Mode::Unicast => match client.request(WORK, payload).timeout(timeout).submit().await {
            Ok(pending) => {
                let id = pending.id();
                published(id);
                match pending.await {
                    Ok(answer) => {
                        let text = String::from_utf8_lossy(&answer.payload).into_owned();
                        diary.write(&Line::Answered { id, at: micros(), text });
                    }
                    Err(error) => failed(&diary, &error),
                }
            }
            Err(error) => not_taken(error),
        },
        Mode::Multicast => match client.multicast(NEWS, payload).timeout(timeout).submit().await {
            Ok(pending) => {
                let id = pending.id();
                published(id);
                match pending.await {
                    Ok(MulticastReceipt { acked, refused, unknown, .. }) => {
                        diary.write(&Line::Counted { id, at: micros(), acked, refused, unknown });
                    }
                    Err(error) => failed(&diary, &error),
                }
            }
            Err(error) => not_taken(error),
        },
    }
}

fn failed(diary: &Diary, error: &PublishError) {
    // Without an id nothing was published.
    if let Some(id) = error.id() {
        diary.write(&Line::Failed { id, at: micros(), code: error.code().number() });
    }
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Waits until the standard input ends.
pub(crate) async fn wait_for_the_end() {
    let mut input = tokio::io::stdin();
    let mut byte = [0];
    while input.read(&mut byte).await.is_ok_and(|length| length > 0) {}
}

/// How late a tick is when the process stood still.
const STOOD_STILL: Duration = Duration::from_secs(3);

/// What unicasts go to.
const WORK: &str = "work";

/// What multicasts go to.
pub(crate) const NEWS: &str = "news";

/// How long connecting and subscribing may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
