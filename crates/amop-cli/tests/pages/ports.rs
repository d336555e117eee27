//! Ports of this run for those of a page.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::process;
use std::sync::atomic::{AtomicU16, Ordering};

/// For each port that a page names on this machine, one that is free.
#[derive(Clone, Debug)]
pub(crate) struct Ports(BTreeMap<u16, u16>);

impl Ports {
    pub(crate) fn of(page: &str) -> Self {
        let named = page.split("127.0.0.").skip(1).filter_map(|rest| {
            let (_, port) = rest.split_once(':')?;
            let end = port.find(|char: char| !char.is_ascii_digit()).unwrap_or(port.len());
            port[..end].parse().ok()
        });
        let mut ports = BTreeMap::new();
        for port in named {
            ports.entry(port).or_insert_with(free);
        }
        Self(ports)
    }

    /// What is typed in this run for what stands in the page.
    pub(crate) fn to_type(&self, said: &str) -> String {
        self.0.iter().fold(said.to_owned(), |text, (port, free)| replace(&text, *port, *free))
    }

    /// What would stand in the page for what is seen in this run.
    pub(crate) fn as_said(&self, seen: &str) -> String {
        self.0.iter().fold(seen.to_owned(), |text, (port, free)| replace(&text, *free, *port))
    }
}

fn replace(text: &str, from: u16, to: u16) -> String {
    ADDRESSES.iter().fold(text.to_owned(), |text, address| {
        text.replace(&format!("{address}:{from}"), &format!("{address}:{to}"))
    })
}

/// A port that nobody has on either address. The system gives none of this range to whoever asks for any.
fn free() -> u16 {
    static ASKED: AtomicU16 = AtomicU16::new(0);
    let begin = u16::try_from(process::id() % 200).expect("it is below 200") * 100;
    (0..COUNT)
        .map(|_| FIRST + (begin + ASKED.fetch_add(1, Ordering::Relaxed)) % COUNT)
        .find(|&port| {
            ADDRESSES.iter().all(|address| {
                let address: Ipv4Addr = address.parse().expect("it is one");
                UdpSocket::bind((address, port)).is_ok()
                    && TcpListener::bind((address, port)).is_ok()
            })
        })
        .expect("one is free")
}

const ADDRESSES: [&str; 2] = ["127.0.0.1", "127.0.0.2"];

/// Below the ports that systems give out by themselves.
const FIRST: u16 = 10_000;
const COUNT: u16 = 20_000;
