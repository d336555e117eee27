//! The network between the parties of a world: links with lanes, latency and limited room.
//!
//! Frames of one lane keep their order; lanes overtake each other, as streams of QUIC do. Every
//! message is encoded and decoded on its way, so that nothing passes that could not travel.

use std::collections::BTreeMap;
use std::time::Duration;

use amop_core::node::LinkId;
use amop_wire::{Frame, FrameDecoder, Instant, Lane, Message, put_frame_head};
use bytes::BytesMut;

/// A node or a client, by its position in the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Party {
    Node(usize),
    Client(usize),
}

/// One link; end 0 dialed.
#[derive(Debug)]
pub(crate) struct Link {
    /// Who is at each end, in which of its lives; an end that has noticed the link's end is gone.
    pub(crate) ends: [Option<(Party, u32)>; 2],
    /// Whether frames still pass.
    pub(crate) passes: bool,
    /// When the last frame arrives, by sending end and lane.
    last_arrival: [[Instant; 3]; 2],
    /// Bytes on their way, by sending end.
    pub(crate) queued_bytes: [usize; 2],
}

/// All links, dead ones included until both ends have noticed.
#[derive(Debug, Default)]
pub(crate) struct Network {
    pub(crate) links: BTreeMap<LinkId, Link>,
    last: u64,
}

impl Network {
    pub(crate) fn connect(&mut self, dialer: (Party, u32), acceptor: (Party, u32)) -> LinkId {
        self.last += 1;
        let link = Link {
            ends: [Some(dialer), Some(acceptor)],
            passes: true,
            last_arrival: Default::default(),
            queued_bytes: [0; 2],
        };
        self.links.insert(LinkId(self.last), link);
        LinkId(self.last)
    }

    /// The end of a link that belongs to this life of a party.
    pub(crate) fn end_of(&self, link: LinkId, party: Party, life: u32) -> Option<usize> {
        self.links.get(&link)?.ends.iter().position(|end| *end == Some((party, life)))
    }

    /// Links whose end `party` has not noticed.
    pub(crate) fn links_of(&self, party: Party) -> impl Iterator<Item = (LinkId, usize)> {
        self.links.iter().filter_map(move |(&id, link)| {
            let is_its = |end: &Option<(Party, u32)>| end.is_some_and(|(at, _)| at == party);
            Some((id, link.ends.iter().position(is_its)?))
        })
    }
}

impl Link {
    /// Says when a frame sent now arrives, never before one sent earlier on the same lane.
    pub(crate) fn arrival(
        &mut self,
        from: usize,
        lane: Lane,
        now: Instant,
        latency: Duration,
    ) -> Instant {
        let last = &mut self.last_arrival[from][usize::from(lane.number())];
        *last = (*last).max(now + latency);
        *last
    }

    /// When the last frame that is on its way arrives.
    pub(crate) fn last_arrival(&self) -> Instant {
        self.last_arrival.iter().flatten().copied().max().unwrap_or_default()
    }
}

/// Encodes a message as a link would.
pub(crate) fn encode<M: Message>(message: &M) -> BytesMut {
    let mut buf = BytesMut::new();
    let payload = message.payload();
    put_frame_head(&mut buf, payload.len(), |buf| message.put_header(buf))
        .expect("a core sends nothing over a limit");
    buf.extend_from_slice(payload);
    buf
}

/// Cuts the one frame out of what [`encode`] made.
pub(crate) fn frame(bytes: BytesMut) -> Frame {
    let mut decoder = FrameDecoder::default();
    decoder.feed(bytes.freeze());
    decoder.next_frame().expect("our own frames are valid").expect("the frame is whole")
}
