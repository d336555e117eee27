//! A file goes on whoever is killed: its sender, its receiver, or a node between them.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout};

use crate::deaths::amop;
use crate::net::Net;
use crate::within;

/// FILE-5, FILE-9: each death costs two chunks at most.
#[tokio::test]
async fn a_file_goes_on_whoever_is_killed_and_moves_two_chunks_twice_at_most() {
    everybody_is_killed_once(1).await;
}

#[tokio::test]
async fn a_file_goes_on_whoever_is_killed_first() {
    everybody_is_killed_once(4).await;
}

/// Kills both clients and all three nodes, in an order and at moments that the seed chooses.
async fn everybody_is_killed_once(seed: u64) {
    let mut net = Net::start(&[&[], &[0], &[1]]).await;
    let (near, far) = (net.client_dir("app", 0), net.client_dir("desk", 2));
    let (sends, receives) = (net.nodes[0].sdk_addr(), net.nodes[2].sdk_addr());
    let words = 0..u32::try_from(SIZE / 4).unwrap();
    let content: Vec<u8> = words.flat_map(|word| (word | 1 << 30).to_le_bytes()).collect();
    fs::write(near.join("big.bin"), &content).unwrap();
    fs::create_dir(far.join("in")).unwrap();

    let mut receiver = receiver(&far, receives).await;
    let mut sender = Sender::start(&near, sends);
    let (mut there_at_start, mut deaths_since) = (0, 0);
    let (mut random, mut reached) = (seed, 0);
    for victim in in_any_order(VICTIMS, &mut random) {
        reached += MIB + draw(&mut random) % (3 * MIB);
        within("more of the file", sender.until(reached)).await;
        match victim {
            Victim::Sender => {
                sender.child.kill().await.unwrap();
                (there_at_start, deaths_since) = (reached / CHUNK * CHUNK, 0);
                sender = Sender::start(&near, sends);
                continue;
            }
            Victim::Receiver => {
                receiver.kill().await.unwrap();
                assert!(!far.join("in/big.bin").exists(), "it is not complete");
                receiver = self::receiver(&far, receives).await;
            }
            Victim::Node(node) => {
                net.nodes[node].kill().await;
                net.nodes[node].restart().await;
            }
        }
        deaths_since += 1;
    }
    let sent = within("the end of the sender", sender.end()).await;
    let moved = usize::try_from(sent["moved_bytes"].as_u64().unwrap()).unwrap();
    let list = SIZE.div_ceil(CHUNK) * 32;
    let most = SIZE + list - there_at_start + deaths_since * 2 * CHUNK;
    assert!(moved <= most, "{moved} bytes are more than {most}");
    assert!(fs::read(far.join("in/big.bin")).unwrap() == content);
}

/// Who is killed.
#[derive(Clone, Copy, Debug)]
enum Victim {
    Sender,
    Receiver,
    Node(usize),
}

const VICTIMS: [Victim; 5] =
    [Victim::Sender, Victim::Receiver, Victim::Node(0), Victim::Node(1), Victim::Node(2)];

/// In an order that the seed chooses (Fisher-Yates).
fn in_any_order(mut victims: [Victim; 5], random: &mut u64) -> [Victim; 5] {
    for last in (1..victims.len()).rev() {
        victims.swap(last, draw(random) % (last + 1));
    }
    victims
}

async fn receiver(dir: &Path, endpoint: SocketAddr) -> Child {
    let mut command = amop(dir, endpoint);
    command.args(["receive", "t", "in", "--propagated", "--timeout", "30s"]).stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().expect("it was piped")).lines();
    let line = within("the receiver", said.next_line()).await.unwrap();
    assert_eq!(line.as_deref(), Some("receiving files of `t`"));
    // What it says later must find somebody who reads.
    tokio::spawn(async move { while let Ok(Some(_)) = said.next_line().await {} });
    child
}

/// `amop send`, which tells how far it is.
struct Sender {
    child: Child,
    said: Lines<BufReader<ChildStdout>>,
}

impl Sender {
    fn start(dir: &Path, endpoint: SocketAddr) -> Self {
        let mut command = amop(dir, endpoint);
        command.args(["send", "big.bin", "t", "--limit", "8M", "--json"]).stdin(Stdio::null());
        command.stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let said = BufReader::new(child.stdout.take().expect("it was piped")).lines();
        Self { child, said }
    }

    async fn next(&mut self) -> Value {
        let line = self.said.next_line().await.unwrap().expect("it goes on");
        serde_json::from_str(&line).unwrap()
    }

    /// Waits until the receiver has so much of the file.
    async fn until(&mut self, received: usize) {
        let received = u64::try_from(received).unwrap();
        while self.next().await["received"].as_u64().unwrap() < received {}
    }

    /// Waits until it is sent.
    async fn end(&mut self) -> Value {
        loop {
            let object = self.next().await;
            if object["type"] != "file-progress" {
                assert_eq!(object["type"], "file-sent", "{object}");
                return object;
            }
        }
    }
}

/// The next number of a seed (splitmix64).
fn draw(random: &mut u64) -> usize {
    *random = random.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*random ^ (*random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    usize::try_from(mixed ^ (mixed >> 27)).expect("64 bits")
}

const MIB: usize = 1 << 20;
const CHUNK: usize = 2 * MIB;
const SIZE: usize = 32 * MIB;
