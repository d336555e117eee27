//! What has begun at a client and has not come to its end: all of it is zero again once nothing happens,
//! as of a [node](crate::node::Node::loose_ends).

use super::Client;

impl Client {
    /// How many of each kind have begun and not ended, kinds without any left out.
    pub fn loose_ends(&self) -> impl Iterator<Item = (&'static str, usize)> {
        let private = self.private.as_ref();
        let all = [
            ("publishes without an end", self.publishes.len()),
            ("publishes that wait for a link", self.waiting.len()),
            ("publishes that may go out again", self.kept.len()),
            ("answers that wait for a link", self.held.len()),
            ("acks", self.acks.len()),
            ("links that are parted from", self.moving.loose_ends()),
            ("keys without an answer", self.keyed.open_len()),
            ("subscribes without an answer", self.subscriptions.unanswered()),
            ("drafts", private.map_or(0, |private| private.drafts_len())),
            ("unicasts to be answered under seal", private.map_or(0, |it| it.answers_len())),
            ("effects", self.effects.len()),
        ];
        all.into_iter().filter(|(_, count)| *count > 0)
    }
}
