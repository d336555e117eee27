//! Drives the cores of a world: hands in what happens, performs what they want.
//!
//! What arrives is handed in as a driver does it: one batch of all that has come since the driver
//! last looked, then the end of the batch. What has no room on a link goes back into the core at
//! once, within the batch.

use amop_core::client::{Client, Effect as ClientEffect, Input as ClientInput, PublishEnd};
use amop_core::node::{Effect as NodeEffect, Event, Input as NodeInput, LinkId, Node};
use amop_wire::{Code, Instant, Lane, Message, MsgId, Name, Outcome};

use crate::contract::End;
use crate::due::Happening;
use crate::kinds::peer_message;
use crate::network::Party;
use crate::notary;
use crate::private::sealed_id;
use crate::story::{About, What};
use crate::watch::Calm;
use crate::world::World;

impl World {
    pub(crate) fn happen(&mut self, happening: Happening) {
        if let Some(until) = self.put_off(&happening) {
            return self.at(until, happening);
        }
        match happening {
            Happening::Arrival { link, to, lane, sent_at, bytes } => {
                let arrived = self.arrival(link, to, lane, bytes);
                match (arrived, lane) {
                    (Some((party, _, frame)), Lane::Files) => self.file_arrived(party, link, frame),
                    (Some((party, kind, frame)), _) => {
                        self.arrived(party, kind, link, sent_at, frame);
                    }
                    (None, _) => {}
                }
                if lane == Lane::Files {
                    self.file_room(link, 1 - to);
                }
            }
            Happening::Notice { link, end } => self.notice(link, end),
            Happening::Batch { party, life } if self.life_of(party) == life => self.flush(party),
            Happening::Wake { party, life } if self.life_of(party) == life => self.wake(party),
            Happening::Batch { .. } | Happening::Wake { .. } => {} // It has died meanwhile.
            Happening::Handled { client, life, attempt } => self.handled(client, life, attempt),
            Happening::Dial { client, life } => self.dial(client, life),
            Happening::PeerDial { dialer } => self.peer_dial(dialer),
            Happening::Disk { client, life, .. } | Happening::FilesWake { client, life }
                if self.clients[client].life != life => {}
            Happening::Disk { client, job, .. } => self.disk_did(client, job),
            Happening::FilesWake { client, .. } => self.wake_files(client),
            Happening::NodeFiles { node, life } if self.nodes[node].life == life => {
                self.send_files(node);
            }
            Happening::NodeFiles { .. } => {}
        }
    }

    /// Until when something cannot happen because a process is paused.
    fn put_off(&self, happening: &Happening) -> Option<Instant> {
        let party = match *happening {
            Happening::Batch { party, .. } | Happening::Wake { party, .. } => party,
            Happening::Handled { client, .. }
            | Happening::Dial { client, .. }
            | Happening::Disk { client, .. }
            | Happening::FilesWake { client, .. } => Party::Client(client),
            Happening::NodeFiles { node, .. } => Party::Node(node),
            Happening::Arrival { link, to, lane: Lane::Files, .. } => {
                self.network.links.get(&link)?.ends[to]?.0
            }
            Happening::Notice { link, end } => self.network.links.get(&link)?.ends[end]?.0,
            Happening::Arrival { .. } | Happening::PeerDial { .. } => return None,
        };
        Some(self.paused_until(party)).filter(|&until| self.now < until)
    }

    /// Hands a batch of inputs to a node, if it is up, and performs what comes of it.
    pub(crate) fn node_batch(&mut self, node: usize, batch: impl IntoIterator<Item = NodeInput>) {
        let waiting = self.waiting_input(node);
        for input in waiting.into_iter().chain(batch).chain([NodeInput::EndOfBatch]) {
            let mut inputs = self.forged_inputs(node, input);
            inputs.reverse();
            let mut inputs: Vec<_> =
                inputs.into_iter().filter_map(|input| self.admit(node, input)).collect();
            while let Some(input) = inputs.pop() {
                self.learn_what_is_known(node, &input);
                self.note_asked(node, &input);
                self.coverage.node_input(&input);
                let now = self.now;
                let published = self.publish_bytes(&input);
                let Some(core) = self.nodes[node].core.as_mut() else { return };
                core.handle(now, input);
                let effects = std::iter::from_fn(|| core.poll_effect());
                let effects = effects.inspect(|effect| self.coverage.node_effect(effect));
                let effects: Vec<NodeEffect> = effects.flat_map(one_by_one).collect();
                if let Some(published) = published {
                    self.check_rates(node, published, &effects);
                }
                let unsent =
                    effects.into_iter().filter_map(|effect| self.node_effect(node, effect));
                inputs.extend(unsent);
            }
        }
        self.check_versions(node);
        self.check_served(node);
        self.check_node_limits(node);
        self.wake_node_in_time(node);
        self.send_files(node);
    }

    pub(crate) fn wake_node_in_time(&mut self, node: usize) {
        let wanted = self.nodes[node].core.as_ref().and_then(Node::poll_timeout);
        let slot = &mut self.nodes[node];
        if let Some(at) = wanted.filter(|&at| slot.wake_at.is_none_or(|set| at < set)) {
            slot.wake_at = Some(at);
            let (party, life) = (Party::Node(node), slot.life);
            self.at(at.max(self.now), Happening::Wake { party, life });
        }
    }

    /// What is handed in of an input: of announcements only what is believed.
    fn admit(&mut self, node: usize, input: NodeInput) -> Option<NodeInput> {
        let NodeInput::Peer { link, message } = input else { return Some(input) };
        let core = self.nodes[node].core.as_ref()?;
        match core.admit(message, &self.notary) {
            Ok(message) => message.map(|message| NodeInput::Peer { link, message }),
            Err(what) => {
                let peer = self.peer_name(link, node)?;
                let line = format_args!("refuses of {peer}: {what:?}");
                self.tell(What::Did(Party::Node(node)), About::Nothing, line);
                self.nodes[node].refused.push((peer, what));
                None
            }
        }
    }

    /// Who is at the other end of a node's link.
    fn peer_name(&self, link: LinkId, node: usize) -> Option<Name> {
        let mut ends = self.network.links.get(&link)?.ends.into_iter().flatten();
        let (party, _) = ends.find(|(party, _)| *party != Party::Node(node))?;
        Some(match party {
            Party::Node(node) => self.nodes[node].name.clone(),
            Party::Client(client) => self.clients[client].name.clone(),
            Party::Stranger(stranger) => self.strangers[stranger].name.clone(),
        })
    }

    /// Performs an effect; answers the input that follows at once: what it asked for, or that it
    /// could not be.
    fn node_effect(&mut self, node: usize, effect: NodeEffect) -> Option<NodeInput> {
        let from = (Party::Node(node), self.nodes[node].life);
        match effect {
            NodeEffect::ToClient { link, message } => {
                self.check_said(node, link, &message);
                if let Some(forged) = self.forged_messages(node, link, &message) {
                    for (link, message) in forged {
                        self.send(from, link, &message);
                    }
                    return None;
                }
                let sent = self.send(from, link, &message);
                (!sent).then_some(NodeInput::UnsentToClient { link, message })
            }
            NodeEffect::ToClients { .. } => unreachable!("taken apart before"),
            NodeEffect::ToPeer { message, .. } if self.is_swallowed(node, &message) => {
                self.disturb(self.now);
                None
            }
            NodeEffect::ToPeer { link, message } if self.is_denied(node, &message) => {
                if message.lane() == Lane::Replies {
                    // Nobody says it again, as if it were swallowed.
                    self.disturb(self.now);
                    self.nodes[node].swallowed_until = self.now;
                }
                Some(NodeInput::UnsentToPeer { link, message })
            }
            NodeEffect::ToPeer { link, message } => {
                self.check_path(node, &message);
                if self.is_telling() {
                    self.network.count(node, link, peer_message(&message));
                }
                let sent = self.send(from, link, &message);
                (!sent).then_some(NodeInput::UnsentToPeer { link, message })
            }
            NodeEffect::Close { link, reason } => {
                let words = self.link_words(link);
                let line = format_args!("closes {words}: {reason}");
                self.tell(What::Did(Party::Node(node)), About::Nothing, line);
                self.close(from, link, reason);
                None
            }
            NodeEffect::Sign { message } => {
                let name = &self.nodes[node].name;
                let leaf = notary::leaf(name, self.nodes[node].renewals);
                let signature = self.notary.sign_by(&leaf, &message);
                Some(NodeInput::Signed { signature, chain: self.notary.chain_of(leaf) })
            }
            NodeEffect::JudgeRevocations { peer, list } => {
                let verdict = self.judge_list(node, &list);
                Some(NodeInput::RevocationsJudged { peer, list, verdict })
            }
            NodeEffect::Reached { number, reach } => {
                self.reached.insert(number, reach);
                None
            }
            NodeEffect::Traced { number, trace } => {
                self.traced.insert(number, trace);
                None
            }
            NodeEffect::Event(event) => {
                let line = format_args!("{event:?}");
                self.tell(What::Did(Party::Node(node)), About::Nothing, line);
                match event {
                    Event::Refused { peer, what } => self.nodes[node].refused.push((peer, what)),
                    Event::Untrue { by, what } => self.blamed(node, by, what),
                    Event::Emptied => self.nodes[node].calm = Calm::never(),
                    Event::Drained => {
                        self.nodes[node].calm = Calm::never();
                        self.nodes[node].is_shut_down = true;
                    }
                    Event::ClientAttached { .. }
                    | Event::ClientDetached { .. }
                    | Event::PeerLinked { .. }
                    | Event::Outlived { .. }
                    | Event::Superseded { .. }
                    | Event::RevocationsRefused { .. }
                    | Event::PeerLost { .. } => {}
                }
                None
            }
        }
    }

    /// Hands a batch of inputs to a client, if it lives, and performs what comes of it.
    pub(crate) fn client_batch(
        &mut self,
        client: usize,
        batch: impl IntoIterator<Item = ClientInput>,
    ) {
        for input in batch.into_iter().chain([ClientInput::EndOfBatch]) {
            let mut inputs = vec![input];
            while let Some(input) = inputs.pop() {
                let now = self.now;
                self.coverage.client_input(&input);
                let is_repeated = self.is_repeated(client, &input);
                let sealed = sealed_id(&input);
                if self.clients[client].old_link.is_some() {
                    // Multicasts wait for what may come on the old link (DRAIN-5).
                    self.clients[client].waiting_sealed.extend(sealed);
                }
                self.learn_seats(client, &input);
                let Some(core) = self.clients[client].core.as_mut() else { return };
                core.handle(now, input);
                let effects: Vec<ClientEffect> =
                    std::iter::from_fn(|| core.poll_effect()).collect();
                self.coverage.dedup(is_repeated, &effects);
                for effect in effects {
                    self.check_sealing(client, sealed, &effect);
                    self.check_nonces(client, &effect);
                    inputs.extend(self.client_effect(client, effect));
                }
            }
        }
        if self.clients[client].old_link.is_none() {
            self.clients[client].waiting_sealed.clear(); // All of it was handed out.
        }
        self.check_client_limits(client);
        self.wake_client_in_time(client);
    }

    fn wake_client_in_time(&mut self, client: usize) {
        let wanted = self.clients[client].core.as_ref().and_then(Client::poll_timeout);
        let slot = &mut self.clients[client];
        if let Some(at) = wanted.filter(|&at| slot.wake_at.is_none_or(|set| at < set)) {
            slot.wake_at = Some(at);
            let (party, life) = (Party::Client(client), slot.life);
            self.at(at.max(self.now), Happening::Wake { party, life });
        }
    }

    /// Performs an effect; answers the inputs that follow at once.
    pub(crate) fn client_effect(
        &mut self,
        client: usize,
        effect: ClientEffect,
    ) -> Vec<ClientInput> {
        let from = (Party::Client(client), self.clients[client].life);
        self.coverage.client_effect(&effect);
        match effect {
            ClientEffect::Send(message) => {
                if let Some(link) = self.clients[client].link {
                    self.send(from, link, &message);
                }
            }
            ClientEffect::Deliver(delivered) => return self.deliver(client, delivered),
            ClientEffect::Published { counter, end, .. } => self.published(client, counter, end),
            ClientEffect::Leave => self.leave(client),
            ClientEffect::SendOld(message) => {
                if let Some(link) = self.clients[client].old_link {
                    self.send(from, link, &message);
                }
            }
            ClientEffect::Part => self.close_old_link(client),
            ClientEffect::Close(reason) => {
                let line = format_args!("closes its link: {reason}");
                self.tell(What::Did(Party::Client(client)), About::Nothing, line);
                if let Some(link) = self.clients[client].link {
                    self.close(from, link, reason);
                }
            }
            ClientEffect::Subscribed { topic, code, reason } => {
                let line = format_args!("subscribed to {topic}: {code}, {reason}");
                self.tell(What::Did(Party::Client(client)), About::Nothing, line);
                let slot = &mut self.clients[client];
                slot.subscribed.push((topic.clone(), code));
                if code != Code::Ok && slot.wanted.remove(&topic) {
                    self.topics_changed.insert(topic, self.now);
                }
            }
            ClientEffect::Receivers { topic } => self.told_receivers(client, &topic),
            ClientEffect::Propagated { topic } => self.told_propagated(client, topic),
            ClientEffect::Connected | ClientEffect::Disconnected => {
                let is_connected = effect == ClientEffect::Connected;
                let calm = if is_connected { Calm::since(self.now) } else { Calm::never() };
                self.clients[client].connected = calm;
                let line = format_args!("{effect:?}");
                self.tell(What::Did(Party::Client(client)), About::Nothing, line);
                if is_connected && let Some(home) = self.home(&self.clients[client]) {
                    self.files_connected(client, self.nodes[home.0].id);
                }
            }
        }
        Vec::new()
    }

    fn published(&mut self, client: usize, counter: u64, end: PublishEnd) {
        let Some(core) = &self.clients[client].core else { return };
        let id = MsgId { publisher: core.instance(), counter };
        if let PublishEnd::Outcome(Outcome { code, retry_after, .. }) = &end
            && (*code == Code::Limited) != retry_after.is_some()
        {
            self.record
                .broken
                .push(format!("{id}: {code} and to be retried after {retry_after:?}"));
        }
        let end = match end {
            PublishEnd::Receipt(receipt) => End::Receipt(receipt),
            PublishEnd::Outcome(Outcome { code, reason, attempts, status, payload, .. }) => {
                End::Outcome { code, reason, attempts, status, payload }
            }
        };
        let line = format_args!("{id} ends: {end:?}");
        self.tell(What::Did(Party::Client(client)), id.into(), line);
        self.note((id, &end));
        if let End::Outcome { code, .. } = end {
            self.judge_failure(client, id, code);
        }
        self.judge_doubt(client, id, &end);
        self.record.ended(id, self.now, end);
    }

    /// Hands in the timeout of a core, unless it is not due any more: most are put off before they
    /// come.
    fn wake(&mut self, party: Party) {
        let next = match party {
            Party::Node(node) => {
                let slot = &mut self.nodes[node];
                slot.wake_at = None;
                if slot.core.as_ref().and_then(Node::poll_timeout).is_some_and(|at| self.now < at) {
                    return self.wake_node_in_time(node);
                }
                self.node_batch(node, [NodeInput::Timeout]);
                self.nodes[node].wake_at
            }
            Party::Client(client) => {
                let slot = &mut self.clients[client];
                slot.wake_at = None;
                if slot.core.as_ref().and_then(Client::poll_timeout).is_some_and(|at| self.now < at)
                {
                    return self.wake_client_in_time(client);
                }
                self.client_batch(client, [ClientInput::Timeout]);
                self.clients[client].wake_at
            }
            Party::Stranger(_) => None,
        };
        let spins = next.is_some_and(|next| next <= self.now);
        assert!(!spins, "{party:?} wants to be woken again for what was due");
    }
}

/// What is for several clients, as an effect for each.
fn one_by_one(effect: NodeEffect) -> Vec<NodeEffect> {
    match effect {
        NodeEffect::ToClients { links, message } => {
            let each = |link| NodeEffect::ToClient { link, message: message.clone() };
            links.into_iter().map(each).collect()
        }
        other => vec![other],
    }
}
