//! Other rules and lists for a node that runs: what is open is judged again.

use amop_core::node::Input;
use tracing::warn;

use super::{Driver, State};
use crate::access::Access;

impl Driver {
    /// Goes by other rules and lists from now on, and closes the links of those who may not come in any more.
    pub(crate) fn set_access(&self, access: Access) {
        let (now, mut state) = self.begin_batch();
        let State { links, gate, .. } = &mut *state;
        for out in links.values_mut() {
            if let Err(reason) = access.judge(&out.name) {
                warn!(who = %out.name.as_dns(), "closing a link: not let in any more");
                out.outbox.send(&mut out.batch);
                out.outbox.close(reason);
            }
        }
        let rules = access.rules.clone();
        gate.set_access(access);
        state.handle(now, Input::Rules(rules));
        self.end_batch(now, state);
    }
}
