//! How a node finds out what another one holds of its announcement.
//!
//! A [`Probe`](crate::PeerMessage::Probe) asks, and [`Held`](crate::PeerMessage::Held) says what
//! counts at that very moment: whoever is asked keeps nothing for it, and whoever asks asks again.

use crate::generated as pb;
use crate::{Epoch, Seq, Version};

pub(crate) fn put_held(version: Version) -> pb::Held {
    pb::Held { epoch: Some(version.epoch.0), seq: Some(version.seq.0) }
}

pub(crate) fn read_held(held: pb::Held) -> Version {
    let (epoch, seq) = (held.epoch.unwrap_or_default(), held.seq.unwrap_or_default());
    Version { epoch: Epoch(epoch), seq: Seq(seq) }
}
