//! What is drawn before a world begins: who is there, and who is linked with whom.

use std::collections::BTreeSet;
use std::time::Duration;

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::Trouble;

/// What a world consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Draws all that happens in the world.
    pub seed: u64,
    /// How the nodes are linked.
    pub shape: Shape,
    /// How many nodes.
    pub nodes: usize,
    /// The pairs of nodes that are linked as a rule, the smaller first.
    pub edges: Vec<(usize, usize)>,
    /// How many clients.
    pub clients: usize,
    /// How many topics.
    pub topics: usize,
    /// How long everything may fail.
    pub chaos: Duration,
    /// What may fail.
    pub troubles: Vec<Trouble>,
    /// How many of a hundred steps are a trouble.
    pub harshness: usize,
    /// How much longer than others messages take on the slowest pair of nodes.
    pub detour_max: Duration,
    /// Whether nodes and clients hold little.
    pub is_tight: bool,
    /// Whether there are private topics.
    pub is_private: bool,
    /// Whether nodes deceive the ends of those.
    pub has_forger: bool,
    /// Whether nodes take only so much a second.
    pub is_throttled: bool,
    /// Whether nodes that stop drain first.
    pub drains: bool,
    /// Whether files are sent.
    pub has_files: bool,
    /// Whether nodes pass on, and send of files, only so much a second.
    pub is_narrow: bool,
    /// Whether nodes go by access rules.
    pub has_rules: bool,
    /// Whether certificates are revoked.
    pub has_lists: bool,
}

/// A connected graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Each with the next.
    Line,
    /// A line whose ends are linked.
    Ring,
    /// All with the first.
    Star,
    /// Two groups of which everybody is linked with everybody, and one link between them.
    Cliques,
    /// Everybody with everybody.
    Mesh,
    /// A tree, and some links more.
    Random,
}

impl Plan {
    /// Draws a world.
    #[must_use]
    pub fn draw(seed: u64) -> Self {
        let mut rng = ChaCha12Rng::seed_from_u64(seed);
        rng.set_stream(1); // The world draws from stream 0.
        let mut draw = |from: usize, to: usize| {
            let span = (to - from + 1) as u64;
            from + usize::try_from(rng.next_u64() % span).expect("it is below a count")
        };
        let nodes = draw(2, 9);
        let shape = Shape::ALL[draw(0, Shape::ALL.len() - 1)];
        let is_in =
            |trouble: &Trouble| draw(0, if *trouble == Trouble::LostEpoch { 9 } else { 1 }) == 0;
        let mut troubles: Vec<Trouble> = Trouble::ALL.into_iter().filter(is_in).collect();
        if troubles.contains(&Trouble::LostEpoch) {
            troubles.retain(|trouble| trouble.leaves_neighbours());
        }
        Self {
            seed,
            shape,
            nodes,
            edges: shape.edges(nodes, &mut draw),
            clients: if draw(0, 3) == 0 { draw(1, 24) } else { draw(1, 8) },
            topics: if draw(0, 3) == 0 { draw(1, 12) } else { draw(1, 4) },
            chaos: Duration::from_secs(75),
            troubles,
            harshness: [3, 10, 25][draw(0, 2)],
            detour_max: Duration::from_millis([0, 50, 400][draw(0, 2)]),
            is_tight: draw(0, 9) == 0,
            is_private: draw(0, 2) == 0,
            has_forger: draw(0, 1) == 0,
            is_throttled: draw(0, 9) == 0,
            drains: draw(0, 1) == 0,
            has_files: draw(0, 2) == 0,
            is_narrow: draw(0, 9) == 0,
            has_rules: draw(0, 3) == 0,
            has_lists: draw(0, 3) == 0,
        }
    }
}

impl Shape {
    const ALL: [Self; 6] =
        [Self::Line, Self::Ring, Self::Star, Self::Cliques, Self::Mesh, Self::Random];

    fn edges(
        self,
        nodes: usize,
        draw: &mut impl FnMut(usize, usize) -> usize,
    ) -> Vec<(usize, usize)> {
        let line = (1..nodes).map(|n| (n - 1, n));
        let mesh =
            |from: usize, to: usize| (from..to).flat_map(move |a| (a + 1..to).map(move |b| (a, b)));
        match self {
            Self::Line => line.collect(),
            Self::Ring => line.chain((nodes > 2).then_some((0, nodes - 1))).collect(),
            Self::Star => (1..nodes).map(|leaf| (0, leaf)).collect(),
            Self::Cliques => {
                let half = nodes / 2;
                let bridge = (half - 1, half);
                mesh(0, half).chain(mesh(half, nodes)).chain([bridge]).collect()
            }
            Self::Mesh => mesh(0, nodes).collect(),
            Self::Random => {
                let tree: BTreeSet<_> = (1..nodes).map(|n| (draw(0, n - 1), n)).collect();
                let more = draw(0, nodes);
                let mut pair = |_| (draw(0, nodes - 1), draw(0, nodes - 1));
                let more: Vec<_> = (0..more).map(&mut pair).collect();
                let more = more.into_iter().filter(|(a, b)| a < b);
                tree.into_iter().chain(more).collect::<BTreeSet<_>>().into_iter().collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_graph_is_connected_and_names_a_pair_once() {
        for seed in 0..500 {
            let Plan { nodes, edges, .. } = Plan::draw(seed);
            let mut reached = BTreeSet::from([0]);
            for _ in 0..nodes {
                for &(a, b) in &edges {
                    if reached.contains(&a) || reached.contains(&b) {
                        reached.extend([a, b]);
                    }
                }
            }
            assert_eq!(reached.len(), nodes, "seed {seed}: {edges:?}");
            let pairs: BTreeSet<_> = edges.iter().collect();
            assert_eq!(pairs.len(), edges.len(), "seed {seed}: {edges:?}");
            assert!(edges.iter().all(|&(a, b)| a < b && b < nodes), "seed {seed}: {edges:?}");
        }
    }

    #[test]
    fn every_shape_is_drawn() {
        let shapes = (0..100).map(|seed| Plan::draw(seed).shape);
        let drawn = |shape: &Shape| shapes.clone().any(|other| other == *shape);
        assert!(Shape::ALL.iter().all(drawn));
    }
}
