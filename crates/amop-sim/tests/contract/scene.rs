//! Two linked nodes with a publisher at the first: where most tests begin.

use std::time::Duration;

use amop_sim::{Application, ClientId, End, NodeId, Reading, World};
use amop_wire::{AnswerStatus, Code, Mode, MsgId, Reason, Receipt, Topic};

pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) a: NodeId,
    pub(crate) b: NodeId,
    pub(crate) publisher: ClientId,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self::of_seed(7)
    }

    pub(crate) fn of_seed(seed: u64) -> Self {
        let mut world = World::new(seed);
        let a = world.node("n1.node.bank-a.amop");
        let b = world.node("n1.node.bank-b.amop");
        world.link(a, b);
        let publisher = world.client("app.sdk.bank-a.amop", &[a, b]);
        world.run_for(millis(50));
        Self { world, a, b, publisher }
    }

    /// A client that subscribes to `t`, known at both nodes.
    pub(crate) fn subscriber(&mut self, home: NodeId) -> ClientId {
        let client = self.world.client("sub.sdk.bank-b.amop", &[home]);
        self.world.subscribe(client, "t");
        self.world.run_for(millis(100));
        client
    }

    pub(crate) fn unicast(&mut self, timeout: Duration) -> MsgId {
        self.world.publish(self.publisher, Mode::Unicast, "t", timeout)
    }

    pub(crate) fn multicast(&mut self, timeout: Duration) -> MsgId {
        self.world.publish(self.publisher, Mode::Multicast, "t", timeout)
    }

    pub(crate) fn code(&self, id: MsgId) -> Code {
        self.world.record().publication(id).code()
    }

    pub(crate) fn has_ended(&self, id: MsgId) -> bool {
        !self.world.record().publication(id).ends.is_empty()
    }

    pub(crate) fn reason(&self, id: MsgId) -> (Reason, u32) {
        let End::Outcome { reason, attempts, .. } = self.world.record().publication(id).end()
        else {
            panic!("a receipt")
        };
        (*reason, *attempts)
    }

    pub(crate) fn receipt(&self, id: MsgId) -> Receipt {
        let End::Receipt(receipt) = self.world.record().publication(id).end() else {
            panic!("an outcome")
        };
        *receipt
    }

    pub(crate) fn calls(&self, id: MsgId) -> usize {
        self.world.record().publication(id).calls.len()
    }

    /// How many subscribers of `t` a node knows.
    pub(crate) fn known(&self, node: NodeId) -> u32 {
        let topic: Topic = "t".parse().unwrap();
        self.world.node_core(node).table().spread(&topic).iter().map(|(_, count)| count).sum()
    }

    /// Lets everything end that can, and checks the contract.
    pub(crate) fn end(mut self) {
        self.world.run_for(Duration::from_secs(10));
        self.world.check();
    }
}

pub(crate) fn slow(delay: Duration) -> Application {
    Application { delay, ..Application::default() }
}

pub(crate) fn deaf(capacity: usize) -> Application {
    Application { reading: Reading::Never, capacity, ..Application::default() }
}

pub(crate) fn one_by_one(delay: Duration) -> Application {
    Application { delay, reading: Reading::OneByOne, ..Application::default() }
}

pub(crate) fn answering(status: AnswerStatus) -> Application {
    Application { status, ..Application::default() }
}

pub(crate) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) const SECOND: Duration = Duration::from_secs(1);
