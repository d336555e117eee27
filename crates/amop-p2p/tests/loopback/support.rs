//! A consortium, endpoints on loopback, and messages of any shape.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::LazyLock;
use std::time::SystemTime;

use amop_p2p::{Batch, Endpoint, Identity, Link, LinkEnd, LinkKind, Settings, Trust};
use amop_pki::{Leaf, Root};
use amop_wire::{CloseReason, Frame, Lane, Message, MessageError, Name};
use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// The root of the consortium that all good parties belong to.
pub(crate) static ROOT: LazyLock<Root> =
    LazyLock::new(|| Root::new("Test Consortium", "amop", now()).unwrap());

#[expect(clippy::disallowed_methods, reason = "certificates must count at the real time")]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

pub(crate) fn name(dns: &str) -> Name {
    dns.parse().unwrap()
}

pub(crate) fn leaf(dns: &str) -> Leaf {
    let name = name(dns);
    ROOT.agency(name.agency(), now()).unwrap().issue(&name, now()).unwrap()
}

pub(crate) fn identity_of(leaf: &Leaf) -> Identity {
    Identity::from_pem(leaf.chain_pem().as_bytes(), leaf.key_pem().as_bytes()).unwrap()
}

pub(crate) fn identity(dns: &str) -> Identity {
    identity_of(&leaf(dns))
}

pub(crate) fn trust() -> Trust {
    Trust::from_pem(ROOT.certificate_pem().as_bytes()).unwrap()
}

pub(crate) const ANY_PORT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

pub(crate) fn listen(kind: LinkKind, identity: &Identity, settings: &Settings) -> Endpoint {
    Endpoint::listen(ANY_PORT, kind, identity, &trust(), settings.clone()).unwrap()
}

pub(crate) fn listen_at(addr: SocketAddr, identity: &Identity, settings: &Settings) -> Endpoint {
    Endpoint::listen(addr, LinkKind::Node, identity, &trust(), settings.clone()).unwrap()
}

pub(crate) fn node(dns: &str, settings: &Settings) -> Endpoint {
    listen(LinkKind::Node, &identity(dns), settings)
}

/// A link between two endpoints: the dialer's end first.
pub(crate) async fn link(dialer: &Endpoint, acceptor: &Endpoint) -> (Link, Link) {
    let addr = acceptor.local_addr().unwrap();
    let (dialed, accepted) = tokio::join!(dialer.dial(addr, None), async {
        acceptor.accept().await.unwrap().complete().await
    });
    (dialed.unwrap(), accepted.unwrap())
}

/// A message of any shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) lane: Lane,
    pub(crate) header: Bytes,
    pub(crate) payload: Bytes,
}

impl Note {
    pub(crate) fn new(lane: Lane, header: impl Into<Vec<u8>>, payload: impl Into<Bytes>) -> Self {
        Self { lane, header: header.into().into(), payload: payload.into() }
    }
}

impl Message for Note {
    fn lane(&self) -> Lane {
        self.lane
    }

    fn put_header(&self, buf: &mut BytesMut) {
        buf.extend_from_slice(&self.header);
    }

    fn payload(&self) -> &Bytes {
        &self.payload
    }

    fn from_frame(frame: Frame) -> Result<Self, MessageError> {
        Ok(Self { lane: Lane::Unicasts, header: frame.header, payload: frame.payload })
    }
}

pub(crate) fn batch(notes: &[Note]) -> Batch {
    let mut batch = Batch::default();
    for note in notes {
        batch.push(note).unwrap();
    }
    batch
}

/// A link that runs in a task of its own and hands over what it reads.
pub(crate) struct Running {
    pub(crate) frames: mpsc::UnboundedReceiver<Note>,
    pub(crate) end: JoinHandle<LinkEnd>,
}

impl Running {
    pub(crate) fn start(link: Link) -> Self {
        let (sender, frames) = mpsc::unbounded_channel();
        let end = tokio::spawn(link.run(move |lane, frames: &mut Vec<Frame>| {
            for frame in frames.drain(..) {
                let note = Note { lane, header: frame.header, payload: frame.payload };
                let _ = sender.send(note);
            }
            Ok::<_, CloseReason>(())
        }));
        Self { frames, end }
    }

    pub(crate) async fn next(&mut self) -> Note {
        self.frames.recv().await.expect("the link goes on")
    }

    pub(crate) async fn end(self) -> LinkEnd {
        self.end.await.unwrap()
    }
}
