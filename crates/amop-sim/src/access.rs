//! What the rules of nodes permit, and whether nodes go by them.
//!
//! The rules are tried here one after another, for each question anew: nothing is taken from what a node has
//! decided, and nothing from how it decides. What nodes say is judged when they say it.

use std::collections::BTreeMap;

use amop_core::client::Client;
use amop_core::node::{Input as NodeInput, LinkId, Permissions, Rule, Rules};
use amop_wire::{
    ClientMessage, Code, FileMessage, Instance, Instant, MsgId, Name, NodeMessage, Publish, Topic,
};

use crate::contract::{End, Publication};
use crate::fault::Fault;
use crate::files::FileSendId;
use crate::network::Party;
use crate::story::{About, What};
use crate::world::{NodeId, World};

/// What came to nodes that permit it or forbid it.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    publishes: BTreeMap<MsgId, Vec<Request>>,
    /// Whether each offer of a file was permitted.
    offers: BTreeMap<FileSendId, Vec<bool>>,
}

/// One publish that came to a node.
#[derive(Clone, Copy, Debug)]
struct Request {
    at: Instant,
    node: usize,
    is_permitted: bool,
}

impl Requests {
    /// Everything that breaks ACL-2, one sentence each.
    pub(crate) fn violations(&self, publications: &BTreeMap<MsgId, Publication>) -> Vec<String> {
        let of = |(id, publication): (&MsgId, &Publication)| {
            let requests = self.publishes.get(id).map_or(&[][..], Vec::as_slice);
            let wrong = wrong(requests, publication)?;
            Some(format!("{id}: {wrong}: {requests:?}, {publication:?}"))
        };
        publications.iter().filter_map(of).collect()
    }

    /// The only node that a publish ever came to, and when.
    fn home_of(&self, id: MsgId) -> Option<(usize, Instant)> {
        match self.publishes.get(&id)?[..] {
            [Request { at, node, .. }] => Some((node, at)),
            _ => None,
        }
    }
}

/// What is wrong with how a publish ended, or with who got it.
fn wrong(requests: &[Request], publication: &Publication) -> Option<&'static str> {
    let code = publication.ends.first().map(|(_, end)| match end {
        End::Outcome { code, .. } => *code,
        End::Receipt(_) => Code::Ok,
    });
    let was_forbidden = requests.iter().any(|request| !request.is_permitted);
    let was_permitted = requests.iter().any(|request| request.is_permitted);
    // With a key another one may have been handled for it.
    if was_forbidden && !was_permitted && publication.terms.key.is_none() {
        if !publication.calls.is_empty() || !publication.delivered_to.is_empty() {
            return Some("forbidden and delivered");
        }
        let says_more = [Code::Ok, Code::NoSubscriber, Code::SubscriberUnreachable, Code::Limited];
        if code.is_some_and(|code| says_more.contains(&code)) {
            return Some("forbidden and ends as if it were not");
        }
    }
    (code == Some(Code::NotPermitted) && !was_forbidden).then_some("202 and nobody forbids it")
}

impl World {
    /// Has a node go by these rules from now on, in later lives too. None permit everything.
    pub fn set_rules(&mut self, node: NodeId, rules: Vec<Rule>) {
        self.coverage.fault(Fault::Rules);
        self.disturb(self.now);
        let line = format_args!("goes by {rules:?}");
        self.tell(What::Did(Party::Node(node.0)), About::Nothing, line);
        self.ruled_at = self.now;
        let slot = &mut self.nodes[node.0];
        slot.ruled_at = self.now;
        slot.rules.clone_from(&rules);
        self.node_batch(node.0, [NodeInput::Rules(Rules::new(rules))]);
    }

    /// ACL-1: what a client may do at a node.
    pub(crate) fn permissions(&self, node: usize, who: &Name, topic: &Topic) -> Permissions {
        let rules = &self.nodes[node].rules;
        if rules.is_empty() {
            return Permissions::ALL;
        }
        let mut about = rules.iter().filter(|rule| {
            rule.who.iter().any(|who_| who_.fits(who))
                && rule.topics.iter().any(|of| of.fits(topic.as_str()))
        });
        about.next().map_or(Permissions::default(), |rule| rule.allow)
    }

    /// ACL-4: whether a node believes of another that somebody subscribes to a topic there: each rule is asked
    /// whether it permits that to some client of the agency, until one is about all of them.
    pub(crate) fn believes(&self, node: usize, of: usize, topic: &Topic) -> bool {
        let rules = &self.nodes[node].rules;
        if node == of || rules.is_empty() {
            return true;
        }
        let agency = self.nodes[of].name.agency();
        let unnamed = format!("nobody.sdk.{agency}.amop").parse().expect("a certified name");
        let clients = self.clients.iter().map(|slot| &slot.name);
        let clients: Vec<&Name> = clients.filter(|name| name.agency() == agency).collect();
        for rule in rules.iter().filter(|rule| rule.topics.iter().any(|of| of.fits(topic.as_str())))
        {
            let fits = |name: &Name| rule.who.iter().any(|who| who.fits(name));
            let is_about_all = fits(&unnamed);
            if rule.allow.subscribe && (is_about_all || clients.iter().any(|name| fits(name))) {
                return true;
            }
            if is_about_all {
                return false;
            }
        }
        false
    }

    /// Whether a client may publish to a topic at the node that it is attached to.
    pub(crate) fn may_publish(&self, client: usize, topic: &Topic) -> bool {
        let slot = &self.clients[client];
        let home = self.home(slot);
        home.is_none_or(|home| self.permissions(home.0, &slot.name, topic).publish)
    }

    /// Notes whether a publish is permitted that comes to a node.
    pub(crate) fn note_request(&mut self, node: usize, link: LinkId, publish: &Publish) {
        let Some((name, Some(publisher))) = self.client_on(link) else { return };
        let is_permitted = self.permissions(node, name, &publish.topic).publish;
        let id = MsgId { publisher, counter: publish.counter };
        let request = Request { at: self.now, node, is_permitted };
        self.record.requests.publishes.entry(id).or_default().push(request);
    }

    /// Notes whether a file is permitted that a client offers to its node.
    pub(crate) fn note_offer(&mut self, node: usize, link: LinkId, message: &FileMessage) {
        let Some((topic, _)) = message.body.offered() else { return };
        let Some((name, Some(sender))) = self.client_on(link) else { return };
        let is_permitted = self.permissions(node, name, topic).file;
        let id = FileSendId(sender, message.route.transfer);
        self.record.requests.offers.entry(id).or_default().push(is_permitted);
    }

    /// ACL-2: notes a violation if a file ended as if it had been permitted, or forbidden, and was not.
    pub(crate) fn check_file_access(&mut self, id: FileSendId, code: Code) {
        let offers = self.record.requests.offers.get(&id).map_or(&[][..], Vec::as_slice);
        let wrong = match code {
            Code::Ok => !offers.contains(&true),
            Code::NotPermitted => self.ruled_at == Instant::default(),
            _ => false,
        };
        if wrong {
            let line = format!("file {id} ends with {code}, permitted: {offers:?}");
            self.record.broken.push(line);
        }
    }

    /// Notes a violation if a node says to a client what its rules forbid, or forbids what they permit.
    pub(crate) fn check_said(&mut self, node: usize, link: LinkId, message: &NodeMessage) {
        if self.nodes[node].rules.is_empty() && !self.is_no(message) {
            return;
        }
        let Some((name, _)) = self.client_on(link) else { return };
        let may = |topic: &Topic| self.permissions(node, name, topic);
        let is_well = match message {
            NodeMessage::Subscribed { topic, code: Code::Ok, .. } => may(topic).subscribe,
            NodeMessage::Subscribed { topic, code: Code::NotPermitted, .. } => {
                !may(topic).subscribe
            }
            NodeMessage::Watched(watched) => {
                watched.present.is_empty() || may(&watched.topic).publish
            }
            NodeMessage::Delivery(delivery) => {
                may(&delivery.topic).subscribe
                    && self.was_believed(node, delivery.attempt.id, &delivery.topic)
            }
            NodeMessage::Multicast(multicast) => {
                may(&multicast.topic).subscribe
                    && self.was_believed(node, multicast.id, &multicast.topic)
            }
            NodeMessage::Subscribed { .. }
            | NodeMessage::Attached { .. }
            | NodeMessage::Propagated { .. }
            | NodeMessage::Draining
            | NodeMessage::Outlived { .. }
            | NodeMessage::Handshake(_)
            | NodeMessage::Outcome(_)
            | NodeMessage::Receipts(_) => true,
        };
        if !is_well {
            let rules = &self.nodes[node].rules;
            let line = format!("node {node} says to {name} by {rules:?}: {message:?}");
            self.record.broken.push(line);
        }
    }

    /// Whether it takes rules to say this.
    fn is_no(&self, message: &NodeMessage) -> bool {
        matches!(message, NodeMessage::Subscribed { code: Code::NotPermitted, .. })
            || (self.ruled_at > Instant::default()
                && matches!(message, NodeMessage::Delivery(_) | NodeMessage::Multicast(_)))
    }

    /// ACL-4: whether the home node of a message believed of the node that hands it out that somebody subscribes
    /// there, as far as its rules have not changed meanwhile.
    fn was_believed(&self, node: usize, id: MsgId, topic: &Topic) -> bool {
        let Some((home, at)) = self.record.requests.home_of(id) else { return true };
        self.nodes[home].ruled_at >= at || self.believes(home, node, topic)
    }

    /// ACL-3: notes a violation if a node holds a subscription that its rules forbid.
    pub(crate) fn check_served(&mut self, node: usize) {
        let slot = &self.nodes[node];
        let Some(core) = slot.core.as_ref().filter(|_| !slot.rules.is_empty()) else { return };
        let held = core.table().topics_of(slot.id);
        let held = held.flat_map(|(topic, subscribers)| subscribers.map(move |one| (topic, one)));
        let is_forbidden = |topic: &Topic, instance: &Instance| {
            let client = self.file_record.instances.get(instance);
            let name = client.map(|&client| &self.clients[client].name);
            name.is_some_and(|name| !self.permissions(node, name, topic).subscribe)
        };
        let wrong: Vec<String> = held
            .filter(|(topic, one)| is_forbidden(topic, &one.instance))
            .map(|(topic, one)| format!("node {node} serves {} on {topic}", one.instance))
            .collect();
        self.record.broken.extend(wrong.into_iter().map(|what| format!("{what}, forbidden")));
    }

    /// The client that dialed a link, and its life if it lives.
    fn client_on(&self, link: LinkId) -> Option<(&Name, Option<Instance>)> {
        let (Party::Client(client), life) = self.network.links.get(&link)?.ends[0]? else {
            return None;
        };
        let slot = &self.clients[client];
        let instance = slot.core.as_ref().filter(|_| slot.life == life).map(Client::instance);
        Some((&slot.name, instance))
    }

    /// What a node is asked that rules are about.
    pub(crate) fn note_asked(&mut self, node: usize, input: &NodeInput) {
        if let NodeInput::Client { link, message: ClientMessage::Publish(publish) } = input {
            self.note_request(node, *link, publish);
        }
    }
}
