//! Revocation lists in random worlds: now and then an authority makes one, and one node is given it.

use super::{SECOND, Swarm};

impl Swarm {
    /// Now and then a node that is up and runs is given a list; now and then two of one authority at once.
    pub(super) fn lists_step(&mut self) {
        if self.world.draw(60) > 0 {
            return;
        }
        let authority = self.world.any(&AUTHORITIES);
        for _ in 0..1 + self.world.draw(2) {
            let node = self.world.any(&self.nodes);
            if !self.world.is_node_paused(node) {
                self.world.revoke(node, authority);
            }
        }
    }

    /// CRL-2: once nothing fails any more, everybody in reach has the newest lists; and another one comes to
    /// everybody at once.
    pub(super) fn check_lists(&mut self) {
        // What was asked for while things failed is given up after 30 s, and offered again within 60 s.
        self.world.run_for(100 * SECOND);
        self.violations.extend(self.world.old_lists());
        let (node, authority) = (self.world.any(&self.nodes), self.world.any(&AUTHORITIES));
        self.world.revoke(node, authority);
        self.world.run_for(5 * SECOND);
        let old = self.world.old_lists().into_iter();
        self.violations.extend(old.map(|what| format!("5 s later {what}")));
    }
}

const AUTHORITIES: [u8; 2] = [1, 2];
