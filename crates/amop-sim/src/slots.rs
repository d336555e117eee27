//! What a world holds of each of its nodes and clients.

use std::collections::{BTreeMap, BTreeSet};

use amop_core::client::{Client, Input as ClientInput};
use amop_core::node::{Input as NodeInput, LinkId, Node, Refused, Rule, Untruth};
use amop_wire::{Code, Epoch, Instant, Name, Topic, Version};

use crate::application::{Application, Inbox};
use crate::files::{Disk, Files};
use crate::forger::Forger;
use crate::rates::Taken;
use crate::revocations::Lists;
use crate::watch::Calm;

#[derive(Debug)]
pub(crate) struct NodeSlot {
    pub(crate) name: Name,
    pub(crate) id: amop_wire::NodeId,
    /// `None` while it is down.
    pub(crate) core: Option<Node>,
    pub(crate) life: u32,
    /// With which it started last.
    pub(crate) epoch: Epoch,
    pub(crate) paused_until: Instant,
    /// Since when it is up and does what a node does.
    pub(crate) calm: Calm,
    pub(crate) wake_at: Option<Instant>,
    /// What has arrived and was not handed in yet, with the moment at which it was sent.
    pub(crate) arrived: Vec<(Instant, NodeInput)>,
    /// The versions of every node's topics that it held last.
    pub(crate) seen: Vec<Option<Version>>,
    pub(crate) swallows: bool,
    /// Whether it loses, doubles and damages files that it passes on.
    pub(crate) muddles: bool,
    pub(crate) denies: bool,
    /// How often it got another certificate.
    pub(crate) renewals: u32,
    pub(crate) forger: Option<Forger>,
    /// The announcements that it did not believe, and who passed them on.
    pub(crate) refused: Vec<(Name, Refused)>,
    /// Whom it blamed, and for what.
    pub(crate) blamed: Vec<(Name, Untruth)>,
    pub(crate) swallowed_until: Instant,
    pub(crate) is_shut_down: bool,
    pub(crate) is_draining: bool,
    pub(crate) taken: Taken,
    /// What it permits its clients, and since when.
    pub(crate) rules: Vec<Rule>,
    pub(crate) ruled_at: Instant,
    pub(crate) lists: Lists,
    /// How many messages it has not sent for want of memory.
    pub(crate) unsent: u64,
}

#[derive(Debug)]
pub(crate) struct ClientSlot {
    pub(crate) name: Name,
    /// `None` while it is down.
    pub(crate) core: Option<Client>,
    pub(crate) life: u32,
    pub(crate) paused_until: Instant,
    /// Since when its process runs.
    pub(crate) calm: Calm,
    /// Since when it is connected.
    pub(crate) connected: Calm,
    /// Since when its application handles whatever comes.
    pub(crate) willing: Calm,
    pub(crate) wake_at: Option<Instant>,
    /// What has arrived and was not handed in yet.
    pub(crate) arrived: Vec<(Instant, ClientInput)>,
    pub(crate) link: Option<LinkId>,
    /// The link that it parts from.
    pub(crate) old_link: Option<LinkId>,
    /// Messages that came while it has two links, of which some are handed out later.
    pub(crate) waiting_sealed: Vec<amop_wire::MsgId>,
    /// Whether it wants to be elsewhere.
    pub(crate) leaves: bool,
    /// Where it attaches, tried in turn.
    pub(crate) homes: Vec<usize>,
    pub(crate) next_home: usize,
    pub(crate) application: Application,
    pub(crate) inbox: Inbox,
    /// The topics that the application wants and was not refused.
    pub(crate) wanted: BTreeSet<Topic>,
    /// What the application was told of its subscribes.
    pub(crate) subscribed: Vec<(Topic, Code)>,
    /// With which keys it subscribes to private topics.
    pub(crate) keys: BTreeMap<Topic, u8>,
    /// Which keys it lets in, on the topics that it publishes to in private.
    pub(crate) allowed: BTreeMap<Topic, BTreeSet<u8>>,
    /// What it was told that every node knows of, and when.
    pub(crate) propagated: Vec<(Topic, Instant)>,
    pub(crate) files: Files,
    /// Lasts from one life to the next.
    pub(crate) disk: Disk,
}
