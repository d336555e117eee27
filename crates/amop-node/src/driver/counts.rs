//! Counts what goes through a node: plain additions where it goes through anyway.

use amop_wire::{Code, Frame, NodeMessage};

use crate::view::Flow;

/// All that was counted.
#[derive(Debug)]
pub(crate) struct Counts {
    /// By the number of the code.
    outcomes: [u64; 256],
    pub(super) clients: Flow,
    pub(super) peers: Flow,
    /// Revocation lists that peers gave and that count.
    pub(super) learned_lists: u64,
}

impl Default for Counts {
    fn default() -> Self {
        let (clients, peers) = (Flow::default(), Flow::default());
        Self { outcomes: [0; 256], clients, peers, learned_lists: 0 }
    }
}

impl Counts {
    /// What goes to and comes from one kind of links.
    pub(super) fn flow(&mut self, is_peer: bool) -> &mut Flow {
        if is_peer { &mut self.peers } else { &mut self.clients }
    }

    /// Notes what a publisher is told.
    pub(super) fn told(&mut self, message: &NodeMessage) {
        match message {
            NodeMessage::Outcome(outcome) => {
                self.outcomes[usize::from(outcome.code.number())] += 1;
            }
            NodeMessage::Receipts(runs) => {
                let ended: u64 = runs.iter().map(|run| u64::from(run.count)).sum();
                self.outcomes[usize::from(Code::Ok.number())] += ended;
            }
            _ => {}
        }
    }

    /// How often each code was told.
    pub(super) fn outcomes(&self) -> impl Iterator<Item = (u8, u64)> {
        Code::ALL.into_iter().map(|code| {
            let number = code.number();
            (number, self.outcomes[usize::from(number)])
        })
    }
}

impl Flow {
    /// Notes a batch that came. Stamps are no messages.
    pub(super) fn came(&mut self, frames: &[Frame]) {
        for frame in frames.iter().filter(|frame| !frame.header.is_empty()) {
            self.received += 1;
            self.received_bytes += frame.payload.len() as u64;
        }
    }

    /// Notes messages that were staged.
    pub(super) fn went(&mut self, messages: usize, payload_bytes: u64) {
        self.sent += messages as u64;
        self.sent_bytes += payload_bytes;
    }
}
