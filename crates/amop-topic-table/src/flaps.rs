//! Puts edges on hold that come and go too often.
//!
//! ```text
//!          the 4th loss within 10 s
//!   ┌──────┐ ──────────────────▶ ┌──────┐ ──┐
//!   │ Free │                     │ Held │   │ change: wait anew
//!   └──────┘ ◀────────────────── └──────┘ ◀─┘
//!         unchanged for 2 s, 4 s, ... 30 s
//! ```
//!
//! Each hold of an edge is twice as long as the one before, until the edge has been quiet for a
//! minute. An edge needs the word of both its ends, so a node that flaps on purpose holds none but
//! its own edges.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use amop_wire::limits::NODES_MAX;
use amop_wire::{Instant, NodeId};

/// The edges that went lately.
#[derive(Debug)]
pub(crate) struct Flaps {
    edges: BTreeMap<(NodeId, NodeId), Flap>,
    /// Most edges that are watched.
    edges_max: usize,
}

impl Default for Flaps {
    fn default() -> Self {
        Self { edges: BTreeMap::new(), edges_max: EDGES_MAX }
    }
}

#[derive(Debug)]
struct Flap {
    changed_at: Instant,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Counts, and how long it will be held next.
    Free { losses: VecDeque<Instant>, next_wait: Duration },
    /// Does not count until it has been unchanged for so long.
    Held { wait: Duration },
}

impl Flaps {
    pub(crate) fn len(&self) -> usize {
        self.edges.len()
    }

    /// Notes that an edge came.
    pub(crate) fn came(&mut self, now: Instant, a: NodeId, b: NodeId) {
        if let Some(flap) = self.edges.get_mut(&edge(a, b)) {
            flap.changed_at = now;
        }
    }

    /// Watches so many edges from now on.
    pub(crate) fn set_max(&mut self, edges_max: usize) {
        self.edges_max = edges_max;
    }

    /// Notes that an edge went. Past the most that are watched, edges that never went before are not watched.
    pub(crate) fn went(&mut self, now: Instant, a: NodeId, b: NodeId) {
        if self.edges.len() >= self.edges_max && !self.edges.contains_key(&edge(a, b)) {
            return;
        }
        let state = State::Free { losses: VecDeque::new(), next_wait: WAIT_MIN };
        let flap = self.edges.entry(edge(a, b)).or_insert(Flap { changed_at: now, state });
        flap.changed_at = now;
        if let State::Free { losses, next_wait } = &mut flap.state {
            losses.push_back(now);
            losses.retain(|&loss| now.saturating_since(loss) <= WINDOW);
            if losses.len() > LOSSES_MAX {
                flap.state = State::Held { wait: *next_wait };
            }
        }
    }

    pub(crate) fn is_held(&self, a: NodeId, b: NodeId) -> bool {
        let flap = self.edges.get(&edge(a, b));
        flap.is_some_and(|flap| matches!(flap.state, State::Held { .. }))
    }

    /// Frees the edges that were stable for long enough; says whether there were any.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> bool {
        let mut has_freed = false;
        self.edges.retain(|_, flap| {
            if flap.ends_at() > now {
                return true;
            }
            match flap.state {
                State::Free { .. } => false,
                State::Held { wait } => {
                    let next_wait = (2 * wait).min(WAIT_MAX);
                    flap.state = State::Free { losses: VecDeque::new(), next_wait };
                    has_freed = true;
                    true
                }
            }
        });
        has_freed
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.edges.values().map(Flap::ends_at).min()
    }
}

impl Flap {
    /// When an edge that stays as it is will be free, or if it is, forgotten.
    fn ends_at(&self) -> Instant {
        match self.state {
            State::Free { .. } => self.changed_at + QUIET,
            State::Held { wait } => self.changed_at + wait,
        }
    }
}

fn edge(a: NodeId, b: NodeId) -> (NodeId, NodeId) {
    (a.min(b), a.max(b))
}

/// Losses of one edge within the [window](WINDOW) that are still taken for bad luck.
const LOSSES_MAX: usize = 3;

/// The span in which losses count together.
const WINDOW: Duration = Duration::from_secs(10);

/// How long an edge must be stable after its first hold.
const WAIT_MIN: Duration = Duration::from_secs(2);

/// How long it must be stable at most.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// When an edge has been as it is for so long, its past is forgotten. Longer than the longest hold,
/// which would else forget itself.
const QUIET: Duration = Duration::from_secs(60);

/// Most edges that are watched at a time.
pub(crate) const EDGES_MAX: usize = 8 * NODES_MAX;

#[cfg(test)]
mod tests {
    use super::*;

    fn node(number: usize) -> NodeId {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        NodeId::from_bytes(bytes)
    }

    fn at(millis: u64) -> Instant {
        Instant::default() + Duration::from_millis(millis)
    }

    /// Lets the edge between nodes 1 and 2 go and come four times within 70 ms.
    fn flap(flaps: &mut Flaps, from_millis: u64) {
        for count in 0..4 {
            flaps.went(at(from_millis + 20 * count), node(1), node(2));
            flaps.came(at(from_millis + 20 * count + 10), node(2), node(1));
        }
    }

    #[test]
    fn the_fourth_loss_within_ten_seconds_puts_an_edge_on_hold() {
        let mut flaps = Flaps::default();
        for millis in [0, 2_000, 4_000, 10_001] {
            assert!(!flaps.is_held(node(1), node(2)));
            flaps.went(at(millis), node(1), node(2));
            flaps.came(at(millis), node(1), node(2));
        }
        assert!(!flaps.is_held(node(1), node(2)), "the first of the four is too old");
        flaps.went(at(12_000), node(2), node(1));
        assert!(flaps.is_held(node(1), node(2)) && flaps.is_held(node(2), node(1)));
        assert!(!flaps.is_held(node(1), node(3)));
    }

    #[test]
    fn an_edge_on_hold_is_free_after_two_seconds_without_a_change() {
        let mut flaps = Flaps::default();
        flap(&mut flaps, 0);
        flaps.went(at(1_500), node(1), node(2));
        assert_eq!(flaps.poll_timeout(), Some(at(3_500)));
        flaps.came(at(1_600), node(1), node(2));
        assert_eq!(flaps.poll_timeout(), Some(at(3_600)));
        assert!(!flaps.handle_timeout(at(3_599)));
        assert!(flaps.is_held(node(1), node(2)));
        assert!(flaps.handle_timeout(at(3_600)));
        assert!(!flaps.is_held(node(1), node(2)));
        assert!(!flaps.handle_timeout(at(3_600)));
    }

    #[test]
    fn each_hold_is_twice_as_long_up_to_thirty_seconds_and_a_quiet_minute_ends_that() {
        let mut flaps = Flaps::default();
        let mut millis = 0;
        for wait in [2, 4, 8, 16, 30, 30] {
            flap(&mut flaps, millis);
            millis += 70 + wait * 1_000;
            assert_eq!(flaps.poll_timeout(), Some(at(millis)));
            assert!(flaps.handle_timeout(at(millis)));
        }
        flap(&mut flaps, millis);
        millis += 70 + 30_000;
        assert!(flaps.handle_timeout(at(millis)));
        assert_eq!(flaps.poll_timeout(), Some(at(millis + 30_000)));
        assert!(!flaps.handle_timeout(at(millis + 30_000)));
        assert_eq!(flaps.poll_timeout(), None);
        flap(&mut flaps, millis + 30_000);
        assert_eq!(flaps.poll_timeout(), Some(at(millis + 30_000 + 70 + 2_000)));
    }

    #[test]
    fn no_more_edges_are_watched_than_the_limit() {
        let mut flaps = Flaps::default();
        for number in 1..=EDGES_MAX + 1 {
            flaps.went(at(0), node(0), node(number));
        }
        assert_eq!(flaps.edges.len(), EDGES_MAX);
        for _ in 0..4 {
            flaps.went(at(1), node(0), node(1));
            flaps.went(at(1), node(0), node(EDGES_MAX + 1));
        }
        assert!(flaps.is_held(node(0), node(1)));
        assert!(!flaps.is_held(node(0), node(EDGES_MAX + 1)));
    }
}
