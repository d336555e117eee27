//! How fast what others send passes through: for the peers of each agency together, and of files on each link.
//!
//! A message between other nodes that comes too fast is given back, as if its link had no room; replies always
//! pass, since what is dropped of them leaves doubt. Files are not given back but wait, as they do for a
//! slow link: what is not taken out of a lane holds up its sender and nobody else.

use std::collections::BTreeMap;
use std::time::Duration;

use amop_wire::{Instant, Lane, Message, NodeId, PeerMessage};

use super::links::Link;
use super::rates::{AGENCIES_MAX, Bucket, Rate};
use super::transit::passed_on_for;
use super::{Limits, LinkId};

/// What passed through lately, and which files wait for their time.
#[derive(Debug, Default)]
pub(super) struct Passage {
    /// What was passed on for the peers of each agency that has any.
    agencies: BTreeMap<Box<str>, Bucket>,
    /// What was sent of files on each link.
    files: BTreeMap<LinkId, Bucket>,
    /// Links whose files wait until then.
    held: BTreeMap<LinkId, Instant>,
}

/// Whose peers a node has, and on which links.
#[derive(Clone, Copy, Debug)]
pub(super) struct Neighbours<'a> {
    pub(super) peers: &'a BTreeMap<NodeId, LinkId>,
    pub(super) links: &'a BTreeMap<LinkId, Link>,
}

/// On which link a piece of a file came, on which it goes on, and how long it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Crossing {
    pub(super) from: LinkId,
    pub(super) to: LinkId,
    pub(super) bytes: u64,
}

impl Passage {
    /// Whether a message may be passed on; counts it if it may.
    pub(super) fn take(
        &mut self,
        now: Instant,
        limits: &Limits,
        neighbours: Neighbours<'_>,
        message: &PeerMessage,
    ) -> bool {
        let Some((rate, agency)) = limits.transit.zip(neighbours.agency_of(message)) else {
            return true;
        };
        let (bucket, bytes) = (self.of_agency(now, rate, agency), payload_bytes(message));
        let is_in_time = bucket.wait(now, rate, bytes).is_zero();
        if is_in_time {
            bucket.take(now, rate, bytes);
        }
        is_in_time
    }

    /// A message that was counted had no room on its link.
    pub(super) fn take_back(
        &mut self,
        limits: &Limits,
        neighbours: Neighbours<'_>,
        message: &PeerMessage,
    ) {
        let agency = limits.transit.and_then(|_| neighbours.agency_of(message));
        if let Some(bucket) = agency.and_then(|agency| self.agencies.get_mut(agency)) {
            bucket.give_back(payload_bytes(message));
        }
    }

    /// How long until a piece of a file may be sent.
    pub(super) fn wait_of_file(
        &self,
        now: Instant,
        limits: &Limits,
        neighbours: Neighbours<'_>,
        crossing: Crossing,
    ) -> Duration {
        let agency = limits.transit.and_then(|_| neighbours.agency_between(crossing));
        let of_agency = agency.and_then(|agency| self.agencies.get(agency)).zip(limits.transit);
        let of_link = self.files.get(&crossing.to).zip(limits.files);
        let waits = of_agency.into_iter().chain(of_link);
        waits.map(|(bucket, rate)| bucket.wait(now, rate, crossing.bytes)).max().unwrap_or_default()
    }

    /// A piece of a file is sent.
    pub(super) fn take_of_file(
        &mut self,
        now: Instant,
        limits: &Limits,
        neighbours: Neighbours<'_>,
        crossing: Crossing,
    ) {
        if let Some(rate) = limits.transit
            && let Some(agency) = neighbours.agency_between(crossing)
        {
            self.of_agency(now, rate, agency).take(now, rate, crossing.bytes);
        }
        if let Some(rate) = limits.files {
            self.files.entry(crossing.to).or_default().take(now, rate, crossing.bytes);
        }
    }

    /// The files of a link wait for so long; not for long at a time, since rates may change.
    pub(super) fn hold(&mut self, now: Instant, link: LinkId, wait: Duration) {
        self.held.insert(link, now + wait.min(HELD_MAX));
    }

    /// Takes the links whose files have waited.
    pub(super) fn take_due(&mut self, now: Instant) -> impl Iterator<Item = LinkId> {
        self.held.extract_if(.., move |_, at| *at <= now).map(|(link, _)| link)
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.held.values().min().copied()
    }

    pub(super) fn link_down(&mut self, link: LinkId) {
        self.files.remove(&link);
        self.held.remove(&link);
    }

    /// The bucket of an agency. When there are many, those with nothing left to run out make way, or all.
    fn of_agency(&mut self, now: Instant, rate: Rate, agency: &str) -> &mut Bucket {
        if !self.agencies.contains_key(agency) {
            if self.agencies.len() >= AGENCIES_MAX {
                self.agencies.retain(|_, bucket| !bucket.is_idle(now, rate));
            }
            if self.agencies.len() >= AGENCIES_MAX {
                self.agencies.clear();
            }
            self.agencies.insert(agency.into(), Bucket::default());
        }
        self.agencies.get_mut(agency).expect("it is there by now")
    }
}

impl<'a> Neighbours<'a> {
    /// The agency for whose peer a message is passed on, if it counts.
    fn agency_of(self, message: &PeerMessage) -> Option<&'a str> {
        if message.lane() == Lane::Replies {
            return None;
        }
        self.agency_at(*self.peers.get(&passed_on_for(message)?)?)
    }

    /// The agency of the peer on whose link a piece came, if another peer gets it.
    fn agency_between(self, crossing: Crossing) -> Option<&'a str> {
        self.agency_at(crossing.to)?;
        self.agency_at(crossing.from)
    }

    fn agency_at(self, link: LinkId) -> Option<&'a str> {
        match self.links.get(&link)? {
            Link::Peer { name, .. } => Some(name.agency_subtree()),
            Link::Client { .. } => None,
        }
    }
}

fn payload_bytes(message: &PeerMessage) -> u64 {
    u64::try_from(message.payload().len()).expect("a length fits 64 bits")
}

/// How long files wait before they are looked at again.
const HELD_MAX: Duration = Duration::from_secs(1);
