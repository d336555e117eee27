//! What people are told who ask a node what became of a message, or who would get one.

use amop_core::node::{Input as NodeInput, Reach, Trace};
use amop_wire::{MsgId, Name};

use crate::world::{NodeId, World};

impl World {
    /// Asks a node what became of a message; answers by which number [`traced`](Self::traced) knows of it.
    pub fn trace(&mut self, node: NodeId, id: MsgId) -> u64 {
        self.last_trace += 1;
        let number = self.last_trace;
        self.node_batch(node.0, [NodeInput::Trace { number, id }]);
        number
    }

    /// Asks a node who would get a message of this client, or of any of its agency; answers by which number
    /// [`reached`](Self::reached) knows of it.
    ///
    /// # Panics
    ///
    /// If it is no topic.
    pub fn reach(&mut self, node: NodeId, topic: &str, whom: Option<Name>) -> u64 {
        self.last_trace += 1;
        let number = self.last_trace;
        let topic = topic.parse().expect("a topic");
        self.node_batch(node.0, [NodeInput::Reach { number, topic, whom }]);
        number
    }

    /// What was answered, once it was: nothing to whom may not publish there.
    #[must_use]
    pub fn reached(&self, number: u64) -> Option<&Option<Reach>> {
        self.reached.get(&number)
    }

    /// What was answered, once it was.
    #[must_use]
    pub fn traced(&self, number: u64) -> Option<&Trace> {
        self.traced.get(&number)
    }
}
