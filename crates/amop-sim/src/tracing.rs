//! What people are told who ask a node what became of a message.

use amop_core::node::{Input as NodeInput, Trace};
use amop_wire::MsgId;

use crate::world::{NodeId, World};

impl World {
    /// Asks a node what became of a message; answers by which number [`traced`](Self::traced) knows of it.
    pub fn trace(&mut self, node: NodeId, id: MsgId) -> u64 {
        self.last_trace += 1;
        let number = self.last_trace;
        self.node_batch(node.0, [NodeInput::Trace { number, id }]);
        number
    }

    /// What was answered, once it was.
    #[must_use]
    pub fn traced(&self, number: u64) -> Option<&Trace> {
        self.traced.get(&number)
    }
}
