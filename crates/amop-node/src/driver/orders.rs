//! What the node is told by whoever runs it.

use amop_core::node::Input;
use amop_p2p::Identity;
use amop_wire::{AuthorityId, RevocationList};
use tracing::error;

use super::Driver;
use crate::limits::Limits;

impl Driver {
    pub(crate) fn set_limits(&self, limits: Limits) {
        let mut state = self.lock();
        state.core.set_limits(limits.of_core());
        state.gate.set_limits(limits);
    }

    /// Signs by another certificate, which was found to fit, and announces everything anew.
    pub(crate) fn recertify(&self, identity: Identity) {
        let (now, mut state) = self.begin_batch();
        match state.border.recertify(identity) {
            Ok(()) => state.handle(now, Input::Recertified),
            Err(error) => error!(%error, "the new certificate cannot be announced"),
        }
        self.end_batch(now, state);
    }

    /// These revocation lists count, of all authorities that are known.
    pub(crate) fn told_revocations(&self, all: Vec<(AuthorityId, Option<RevocationList>)>) {
        let (now, mut state) = self.begin_batch();
        state.handle(now, Input::Revocations(all));
        self.end_batch(now, state);
    }

    pub(crate) fn drain(&self) {
        let (now, mut state) = self.begin_batch();
        state.handle(now, Input::Drain);
        self.end_batch(now, state);
    }

    pub(crate) fn shut_down(&self) {
        let (now, mut state) = self.begin_batch();
        state.handle(now, Input::Shutdown);
        self.end_batch(now, state);
    }
}
