//! What fails, and for how long.
//!
//! Every trouble ends by itself: what mends it is put on an agenda when it begins. So a world has
//! quiet stretches between its troubles, in which messages must get through again. A world is drawn
//! with some kinds of trouble and without others, since one kind hides what another would show.

use std::time::Duration;

use amop_wire::Epoch;

use super::{SECOND, Swarm, millis};
use crate::{Application, ClientId, DiskTrouble, NodeId};

/// A kind of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// A link is lost; its ends notice at different times.
    Cut,
    /// Two nodes cannot reach each other.
    Part,
    /// One node cannot reach another, which can reach it.
    PartOneWay,
    /// Nothing arrives for a moment, in one direction or both.
    Stall,
    /// A link is lost again and again.
    Flap,
    /// No link leads from some nodes to the others.
    Split,
    /// All links of some nodes end one after another, and come back in another order.
    Swizzle,
    /// A node dies and starts again.
    Crash,
    /// A node dies and starts again with an earlier epoch, or the same: its file was lost and its clock set back.
    /// That happens once, and its neighbours stay linked to tell it of its last life (SEQ-9).
    LostEpoch,
    /// A node stops and goes on.
    Pause,
    /// A node shuts down in order and starts again.
    ShutDown,
    /// Links have little room for messages.
    Room,
    /// Links have little room for what nodes tell each other.
    ControlRoom,
    /// Some messages take much longer.
    Tail,
    /// A node keeps to itself what it should pass on.
    Swallow,
    /// A node says what is not true.
    Lie,
    /// A client loses its link, is held up, moves, stops or dies.
    Client,
}

/// What mends a trouble, or goes on with it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Deed {
    Cut(NodeId, NodeId),
    Part(NodeId, NodeId),
    Join(NodeId, NodeId),
    Crash(NodeId),
    Restart(NodeId),
    RestartEarlier(NodeId),
    Start(ClientId),
    EndRoom,
    EndControlRoom,
    EndTail,
    EndSwallow(NodeId),
    EndForge(NodeId),
    EndMuddle(NodeId),
    FillDisk(ClientId),
    EndDisk(ClientId),
    Kill(ClientId),
    CutPower(ClientId),
    SendAgain,
}

impl Trouble {
    /// Whether a node whose epoch is lost may meet it.
    pub(super) fn leaves_neighbours(self) -> bool {
        match self {
            Self::LostEpoch
            | Self::Stall
            | Self::Room
            | Self::Tail
            | Self::Swallow
            | Self::Lie
            | Self::Client => true,
            Self::Cut
            | Self::Part
            | Self::PartOneWay
            | Self::Flap
            | Self::Split
            | Self::Swizzle
            | Self::Crash
            | Self::Pause
            | Self::ShutDown
            | Self::ControlRoom => false,
        }
    }

    /// Each of them.
    pub const ALL: [Self; 17] = [
        Self::Cut,
        Self::Part,
        Self::PartOneWay,
        Self::Stall,
        Self::Flap,
        Self::Split,
        Self::Swizzle,
        Self::Crash,
        Self::LostEpoch,
        Self::Pause,
        Self::ShutDown,
        Self::Room,
        Self::ControlRoom,
        Self::Tail,
        Self::Swallow,
        Self::Lie,
        Self::Client,
    ];
}

impl Swarm {
    /// Begins one trouble.
    pub(super) fn trouble(&mut self) {
        if self.troubles.is_empty() {
            return;
        }
        let trouble = self.world.any(&self.troubles);
        let (a, b) = self.world.any(&self.edges);
        let (notice, other) = (self.draw_notice(), self.draw_notice());
        let mended_after = self.draw_span();
        match trouble {
            Trouble::Cut => self.world.cut_half_open(a, b, notice, other),
            Trouble::Part => {
                self.world.part(a, b, notice);
                self.plan(mended_after, Deed::Join(a, b));
            }
            Trouble::PartOneWay => {
                self.world.part_one_way(a, b, notice, other);
                self.plan(mended_after, Deed::Join(a, b));
            }
            Trouble::Stall => {
                let span = millis(self.world.draw(STALL_MILLIS_MAX));
                match self.world.draw(2) {
                    0 => self.world.stall(a, b, span),
                    _ => self.world.stall_one_way(a, b, span),
                }
            }
            Trouble::Flap => self.flap(a, b),
            Trouble::Split => self.split(notice, mended_after),
            Trouble::Swizzle => self.swizzle(mended_after),
            Trouble::Crash => {
                self.world.crash(a, notice);
                self.plan(mended_after, Deed::Restart(a));
            }
            Trouble::LostEpoch => {
                let victim = self.nodes[0];
                self.world.crash(victim, notice);
                self.plan(mended_after, Deed::RestartEarlier(victim));
                self.troubles.retain(|other| *other != Trouble::LostEpoch);
            }
            Trouble::Pause => {
                let span = self.draw_pause();
                self.world.pause(a, span);
            }
            Trouble::ShutDown if self.world.is_up(a) && self.drains => {
                self.world.drain(a);
                self.plan(8 * SECOND, Deed::Crash(a));
                self.plan(8 * SECOND + mended_after, Deed::Restart(a));
            }
            Trouble::ShutDown if self.world.is_up(a) => {
                self.world.shut_down(a);
                self.plan(SECOND, Deed::Crash(a));
                self.plan(SECOND + mended_after, Deed::Restart(a));
            }
            Trouble::ShutDown => {}
            Trouble::Room => {
                let bytes = 200 + self.pick(2000);
                self.world.set_link_bytes_max(bytes);
                self.plan(mended_after, Deed::EndRoom);
            }
            Trouble::ControlRoom => {
                let bytes = self.pick(300);
                self.world.set_control_bytes_max(bytes);
                self.plan(mended_after / 4, Deed::EndControlRoom);
            }
            Trouble::Tail => {
                let one_of = 1 + self.world.draw(50);
                let most = millis(self.world.draw(TAIL_MILLIS_MAX));
                self.world.set_tail(one_of, most);
                self.plan(mended_after, Deed::EndTail);
            }
            Trouble::Swallow => {
                // One or the other, without another draw.
                if mended_after.as_millis().is_multiple_of(2) {
                    self.world.set_swallowing(a, true);
                } else {
                    self.world.set_denying(a, true);
                }
                self.plan(2 * mended_after, Deed::EndSwallow(a));
            }
            Trouble::Lie => self.lie(),
            Trouble::Client => self.trouble_client(notice, mended_after),
        }
    }

    fn trouble_client(&mut self, notice: Duration, mended_after: Duration) {
        let client = self.world.any(&self.clients);
        let soon = millis(self.world.draw(100));
        match self.world.draw(7) {
            0 | 1 => self.world.cut_client(client, soon, notice),
            2 => {
                let to = self.world.any(&self.nodes);
                self.world.move_client(client, to, notice);
            }
            3 => {
                let span = millis(self.world.draw(STALL_MILLIS_MAX));
                self.world.stall_client(client, span);
            }
            4 => {
                let span = self.draw_pause();
                self.world.pause_client(client, span);
            }
            _ => {
                self.world.kill(client, notice);
                self.plan(mended_after / 4, Deed::Start(client));
            }
        }
    }

    fn flap(&mut self, a: NodeId, b: NodeId) {
        let mut at = Duration::ZERO;
        for _ in 0..3 + self.world.draw(6) {
            self.plan(at, Deed::Cut(a, b));
            at += millis(100 + self.world.draw(1500));
        }
    }

    fn split(&mut self, notice: Duration, mended_after: Duration) {
        let sides = self.world.draw(1 << self.nodes.len());
        let is_left = |node: NodeId| sides >> node.0 & 1 == 1;
        for (a, b) in self.edges.clone() {
            if is_left(a) != is_left(b) {
                self.world.part(a, b, notice);
                self.plan(mended_after, Deed::Join(a, b));
            }
        }
    }

    fn swizzle(&mut self, mended_after: Duration) {
        let hub = self.world.any(&self.nodes);
        let is_its = |&(a, b): &(NodeId, NodeId)| a == hub || b == hub;
        let edges: Vec<_> = self.edges.iter().copied().filter(is_its).collect();
        for (a, b) in edges {
            let (end, begin) = (millis(self.world.draw(3000)), millis(self.world.draw(6000)));
            self.plan(end, Deed::Part(a, b));
            self.plan(millis(3000) + mended_after + begin, Deed::Join(a, b));
        }
    }

    pub(super) fn plan(&mut self, after: Duration, deed: Deed) {
        let number = self.agenda.len();
        let mut key = (self.world.now() + after, number);
        while self.agenda.contains_key(&key) {
            key.1 += 1;
        }
        self.agenda.insert(key, deed);
    }

    pub(super) fn perform(&mut self, deed: Deed) {
        match deed {
            Deed::Cut(a, b) => {
                let notice = millis(self.world.draw(50));
                self.world.cut(a, b, notice);
            }
            Deed::Part(a, b) => {
                let notice = self.draw_notice();
                self.world.part(a, b, notice);
            }
            Deed::Join(a, b) => self.world.join(a, b),
            Deed::Crash(node) => self.world.crash(node, millis(10)),
            Deed::Restart(node) => self.world.restart(node),
            Deed::RestartEarlier(node) => {
                let Epoch(last) = self.world.epoch_of(node);
                // Or with the same, as from a copy of its state.
                let epoch = if self.world.draw(3) == 0 { last } else { self.world.draw(last) };
                let epoch = Epoch(epoch);
                self.world.restart_with(node, epoch);
            }
            Deed::Start(client) => self.start(client),
            Deed::EndRoom => self.world.set_link_bytes_max(1 << 20),
            Deed::EndControlRoom => self.world.set_control_bytes_max(usize::MAX),
            Deed::EndTail => self.world.set_tail(0, Duration::ZERO),
            Deed::EndSwallow(node) => {
                self.world.set_swallowing(node, false);
                self.world.set_denying(node, false);
            }
            Deed::EndForge(node) => self.world.set_forging(node, false),
            Deed::EndMuddle(node) => self.world.set_muddling(node, false),
            Deed::FillDisk(client) => self.world.set_disk(client, DiskTrouble::Full),
            Deed::EndDisk(client) => self.world.set_disk(client, DiskTrouble::None),
            Deed::Kill(client) => self.world.kill(client, millis(10)),
            Deed::SendAgain => self.send_last_again(),
            Deed::CutPower(client) => self.world.cut_power(client, millis(10)),
        }
    }

    /// Starts a client, whose application subscribes to some topics at once.
    fn start(&mut self, client: ClientId) {
        if self.world.lives(client) {
            return;
        }
        self.world.start_client(client);
        for _ in 0..self.world.draw(4) {
            let topic = self.world.any(&self.topics);
            self.world.subscribe(client, &topic);
        }
        self.receive_some_files(client);
    }

    /// Mostly soon, sometimes only when the link has been silent for too long.
    pub(super) fn draw_notice(&mut self) -> Duration {
        let most = [50, 500, 6000][self.pick(3)];
        millis(self.world.draw(most))
    }

    /// How long a trouble lasts.
    pub(super) fn draw_span(&mut self) -> Duration {
        let most = [1000, 5000, 20_000][self.pick(3)];
        millis(self.world.draw(most))
    }

    fn draw_pause(&mut self) -> Duration {
        let most = [300, PAUSE_MILLIS_MAX, 30_000][self.pick(3)];
        let span = millis(self.world.draw(most));
        // Within a silence that links survive it must not be longer than they may be held up.
        if span > millis(PAUSE_MILLIS_MAX) { span.max(6 * SECOND) } else { span }
    }

    /// Ends every trouble. What was cut is still noticed at its time, and who is paused stays so.
    pub(super) fn heal(&mut self) {
        for (_, deed) in std::mem::take(&mut self.agenda) {
            if matches!(deed, Deed::Join(..)) {
                self.perform(deed);
            }
        }
        for deed in [Deed::EndRoom, Deed::EndControlRoom, Deed::EndTail] {
            self.perform(deed);
        }
        self.world.set_tight(false);
        self.world.set_throttled(false);
        self.world.set_narrow(false);
        for node in self.nodes.clone() {
            self.perform(Deed::EndSwallow(node));
            self.perform(Deed::EndForge(node));
            self.perform(Deed::EndMuddle(node));
            if self.is_shut_down(node) {
                self.world.crash(node, millis(10));
            }
            self.world.restart(node);
        }
        for client in self.clients.clone() {
            self.perform(Deed::EndDisk(client));
            self.start(client);
        }
        self.world.run_for(30 * SECOND); // Until nobody is paused.
        for &client in &self.clients {
            self.world.set_application(client, Application::default());
        }
    }

    fn is_shut_down(&self, node: NodeId) -> bool {
        let slot = &self.world.nodes[node.0];
        slot.is_shut_down || slot.is_draining
    }
}

/// No end notices later than this that a link has ended.
pub(super) const NOTICE_MAX: Duration = Duration::from_secs(12);

/// A message may be held up on each of its links, and must still not be handled long after its
/// deadline.
const STALL_MILLIS_MAX: u64 = 1500;

const PAUSE_MILLIS_MAX: u64 = 1500;

const TAIL_MILLIS_MAX: u64 = 500;
