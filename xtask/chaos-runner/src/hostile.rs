//! A certified client that keeps no rule: bytes that drip, streams without number, halves of frames, lengths of 4 GiB,
//! and frames that are legal in an order that is not. Each is tried on a link of its own, again and again.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use amop_wire::{
    AckEnd, AckRun, ClientMessage, Gen, Instance, Lane, Message, Mode, Publish, Terms,
    put_frame_head,
};
use anyhow::Result;
use bytes::{Bytes, BytesMut};
use quinn::{Connection, ConnectionError, Endpoint, RecvStream, SendStream, WriteError};
use tokio::task::JoinSet;
use tokio::time::{interval, sleep};

use crate::books::{Demands, Verdict};
use crate::client::{NEWS, wait_for_the_end};
use crate::clock::now;
use crate::figures::Figures;
use crate::measured::Measured;
use crate::options::Options;
use crate::raw;

/// Has one be there in turns with none, and compares what the others' messages take.
///
/// # Errors
///
/// Fails if the processes of the run cannot be had.
pub(crate) async fn siege(options: &Options, seed: u64, node: &Path) -> Result<Verdict> {
    let mut run = Measured::start(options, seed, node, "").await?;
    run.net.subscribe([1, 2]).await?;
    run.publish_unicasts(if options.smoke { 50 } else { 200 }).await?;
    let (mut spans, mut ends, mut seconds) = (Vec::new(), Vec::new(), 0);
    for _ in 0..if options.smoke { 1 } else { ROUNDS } {
        spans.push(run.span("nobody hostile", 10).await);
        let began = now();
        let mut hostile = run.net.hostile(0).await?;
        // For longer than half a frame is waited for.
        spans.push(run.span("one hostile", 35).await);
        ends.push(hostile.last_word().await?);
        // One line a second, and one at once.
        seconds += began.elapsed().as_secs() + 1;
    }
    run.net.finish().await?;
    let diaries = run.net.diaries()?;
    let mut verdict = Verdict::of(&diaries, Demands::default());
    let all = spans.into_iter().map(|span| Figures::of_unicasts(&diaries.lines, span));
    let all: Vec<Figures> = all.collect();
    let mut all_times = Vec::new();
    for pair in all.chunks_exact(2) {
        let [calm, hostile] = [&pair[0], &pair[1]].map(|figures| figures.within(990));
        let times = hostile.as_secs_f64() / calm.as_secs_f64();
        println!("{}\n{}\n  p99 of the others: {times:.2} times", pair[0], pair[1]);
        all_times.push(times);
    }
    // A smoke is too short for a p99.
    if !options.smoke {
        demand_times(&mut verdict, all_times);
    }
    let is_whole = all.iter().all(Figures::is_whole);
    verdict.demand(is_whole, || "not all of the others gets through".to_owned());
    for end in ends {
        println!("  the links of the hostile one: {end}");
        verdict.demand(!end.contains("no reason"), || "a link ended without a reason".to_owned());
        // Who opens too many streams waits for QUIC to let it, and harms nobody.
        let mut closed = TRICKS.iter().filter(|it| !matches!(it, Trick::Streams));
        let is_closed = options.smoke || closed.all(|it| end.contains(&format!("{it:?}")));
        verdict.demand(is_closed, || "a link with tricks was not closed".to_owned());
    }
    let said = run.net.nodes[0].has_said(&["WARN", "link ended", "party="]);
    println!("  the log of the node has {} lines on it, of {seconds} s", said.len());
    verdict.demand(!said.is_empty() && said.len() as u64 <= seconds, || {
        format!("the log has {} lines on a hostile client of {seconds} s", said.len())
    });
    let has_reason = |line: &String| line.contains(" end=") && line.contains(" held_back=");
    verdict.demand(said.iter().all(has_reason), || "a line of the log has no reason".to_owned());
    run.net.keeps_its_peers(&mut verdict);
    run.net.leave(&verdict);
    Ok(verdict)
}

/// Demands that the others' messages take hardly longer beside it, in the middle one of some pairs of spans: one pair says
/// more of the machine.
fn demand_times(verdict: &mut Verdict, mut times: Vec<f64>) {
    times.sort_by(f64::total_cmp);
    let median = times.get(times.len() / 2).copied().unwrap_or(f64::NAN);
    println!("  p99 of the others: {median:.2} times, median of {}", times.len());
    verdict.demand(median <= TIMES_MAX, || format!("p99 of the others is {median:.2} times"));
}

/// Whose certificate it shows to which node.
#[derive(Debug, clap::Args)]
pub(crate) struct HostileArgs {
    /// Where `ca.crt`, `sdk.crt` and `sdk.key` are.
    #[arg(long)]
    dir: PathBuf,
    /// Where the node is.
    #[arg(long)]
    endpoint: SocketAddr,
    /// Its certified name.
    #[arg(long)]
    name: String,
}

/// What it does on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Trick {
    Drip,
    Streams,
    HalfFrame,
    Length,
    Order,
}

/// Why its links ended, or that they did not say.
type Ends = BTreeMap<(Trick, String), u64>;

/// Is one until the standard input ends; then says in one line how its links have ended, each kind with a count.
///
/// # Errors
///
/// Fails if it cannot link at all.
pub(crate) async fn run(HostileArgs { dir, endpoint: node, name }: HostileArgs) -> Result<()> {
    let endpoint = raw::endpoint(&dir, IpAddr::V4(Ipv4Addr::LOCALHOST), true)?;
    endpoint.connect(node, &name)?.await?.close(0_u32.into(), b"");
    let (sender, mut ended) = tokio::sync::mpsc::unbounded_channel();
    let mut tricks = JoinSet::new();
    for (number, trick) in (1_u64..).zip(TRICKS) {
        let (endpoint, name, sender) = (endpoint.clone(), name.clone(), sender.clone());
        tricks.spawn(async move {
            // Each link is of another instance.
            for instance in number << 32.. {
                if let Some(end) = play(&endpoint, node, &name, (trick, instance)).await {
                    let _ = sender.send((trick, end)); // Nobody counts any more in the end.
                }
                sleep(PAUSE).await;
            }
        });
    }
    println!("ready");
    wait_for_the_end().await;
    tricks.shutdown().await;
    let mut ends = Ends::new();
    while let Ok(end) = ended.try_recv() {
        *ends.entry(end).or_default() += 1;
    }
    println!("{ends:?}");
    Ok(())
}

/// Plays a trick on a new link until that is closed: with which words.
async fn play(
    endpoint: &Endpoint,
    node: SocketAddr,
    name: &str,
    (trick, instance): (Trick, u64),
) -> Option<String> {
    let connection = endpoint.connect(node, name).ok()?.await.ok()?;
    let end = tokio::select! {
        end = connection.closed() => end,
        // What it cannot do any more shows that the link has ended.
        _ = act(&connection, trick, instance) => connection.closed().await,
    };
    match &end {
        ConnectionError::LocallyClosed => None,
        _ => Some(raw::reason(&end).unwrap_or_else(|| format!("no reason: {end}"))),
    }
}

async fn act(connection: &Connection, trick: Trick, instance: u64) -> Result<(), WriteError> {
    let mut lanes = lanes(connection).await?;
    let attach = ClientMessage::Attach { instance: Instance(instance), generation: Gen(1) };
    if trick != Trick::Order {
        lanes[usize::from(attach.lane().number())].0.write_all(&written(&attach)).await?;
    }
    let unicasts = &mut lanes[usize::from(Lane::Unicasts.number())].0;
    match trick {
        Trick::Drip => {
            let mut ticks = interval(DRIP);
            unicasts.write_all(&FRAME_BYTES.to_be_bytes()).await?;
            loop {
                ticks.tick().await;
                unicasts.write_all(&[0]).await?;
            }
        }
        Trick::Streams => loop {
            // Those that it is not given it waits for.
            let (mut stream, _) = connection.open_bi().await?;
            stream.write_all(&[0]).await?;
        },
        Trick::HalfFrame => {
            unicasts.write_all(&FRAME_BYTES.to_be_bytes()).await?;
            unicasts.write_all(&[0; FRAME_BYTES as usize / 2]).await
        }
        Trick::Length => unicasts.write_all(&u32::MAX.to_be_bytes()).await,
        Trick::Order => {
            for message in disorder(attach) {
                lanes[usize::from(message.lane().number())].0.write_all(&written(&message)).await?;
            }
            Ok(())
        }
    }?;
    std::future::pending().await
}

/// Each of them is legal at another time.
fn disorder(attach: ClientMessage) -> [ClientMessage; 4] {
    let topic = || NEWS.parse().expect("a valid topic");
    let publish = Publish {
        counter: 1,
        ttl: Duration::from_secs(1),
        mode: Mode::Multicast,
        sequence: 1,
        terms: Terms::default(),
        topic: topic(),
        payload: Bytes::new(),
    };
    let acks = ClientMessage::Acks(vec![AckRun { first: 7, count: 9, end: AckEnd::Taken }]);
    [ClientMessage::Unsubscribe(topic()), ClientMessage::Publish(publish), acks, attach]
}

/// Opens the lanes as a good client does. Their other halves are kept, for who drops one says that it does not read.
async fn lanes(connection: &Connection) -> Result<Vec<(SendStream, RecvStream)>, WriteError> {
    let mut lanes = Vec::new();
    for lane in Lane::ALL {
        let (mut send, receive) = connection.open_bi().await?;
        send.write_all(&[lane.number()]).await?;
        lanes.push((send, receive));
    }
    Ok(lanes)
}

fn written(message: &ClientMessage) -> Vec<u8> {
    let mut frame = BytesMut::new();
    let head = put_frame_head(&mut frame, message.payload().len(), |buf| message.put_header(buf));
    head.expect("it is within the limits");
    frame.extend_from_slice(message.payload());
    frame.to_vec()
}

const TRICKS: [Trick; 5] =
    [Trick::Drip, Trick::Streams, Trick::HalfFrame, Trick::Length, Trick::Order];

/// How often it is there, in turns with none.
const ROUNDS: usize = 3;

/// How many times longer the others' messages may take.
const TIMES_MAX: f64 = 2.0;

/// How long a frame is that never gets whole.
const FRAME_BYTES: u32 = 256 << 10;

/// How often a byte drips.
const DRIP: Duration = Duration::from_millis(20);

/// How soon after the end of a link it begins the next.
const PAUSE: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_others_may_take_twice_as_long_in_the_middle_one_of_the_pairs() {
        let is_good = |times: &[f64]| {
            let mut verdict = Verdict::default();
            demand_times(&mut verdict, times.to_vec());
            verdict.is_good()
        };
        assert!(is_good(&[9.0, 2.0, 1.0]));
        assert!(!is_good(&[2.01, 0.5, 9.0]));
        assert!(!is_good(&[]), "nothing was measured");
    }
}
