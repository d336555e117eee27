//! Paths, alternatives and trees on small networks, against a twin that tries out every path.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use amop_topic_table::{Branch, Graph, Tree};
use amop_wire::limits::HOPS_MAX;
use amop_wire::{Instant, NodeId, Stop};
use proptest::prelude::*;
use proptest::sample::Index;

/// Who says to be linked with whom, and how often each node failed. We are node 0.
#[derive(Debug, Default)]
struct Naive {
    lists: BTreeMap<u8, BTreeSet<u8>>,
    failures: BTreeMap<u8, usize>,
    /// When the failures of a relay are remitted.
    remitted_at: BTreeMap<u8, Instant>,
}

type Path = Vec<u8>;

impl Naive {
    fn is_edge(&self, a: u8, b: u8) -> bool {
        let lists = |a, b| self.lists.get(&a).is_some_and(|list| list.contains(&b));
        a != b && lists(a, b) && lists(b, a)
    }

    fn edges(&self) -> BTreeSet<(u8, u8)> {
        let all = (0..NODES).flat_map(|a| (0..NODES).map(move |b| (a, b)));
        all.filter(|&(a, b)| self.is_edge(a, b)).collect()
    }

    /// Every simple path of at most eight hops from us.
    fn paths(&self) -> BTreeMap<u8, Vec<Path>> {
        let mut paths = BTreeMap::<u8, Vec<Path>>::new();
        let mut waiting = vec![vec![0]];
        while let Some(path) = waiting.pop() {
            let end = path[path.len() - 1];
            for &next in self.lists.get(&end).into_iter().flatten() {
                if self.is_edge(end, next) && !path.contains(&next) && path.len() <= HOPS_MAX {
                    let path: Path = path.iter().copied().chain([next]).collect();
                    paths.entry(next).or_default().push(path.clone());
                    waiting.push(path);
                }
            }
        }
        paths
    }

    /// The number of hops to each node, by breadth-first search.
    fn distances(&self) -> BTreeMap<u8, usize> {
        let mut distances = BTreeMap::from([(0, 0)]);
        for hops in 1..=HOPS_MAX {
            let last = distances.iter().filter(|&(_, &at)| at == hops - 1).map(|(&node, _)| node);
            for end in last.collect::<Vec<_>>() {
                for &next in self.lists.get(&end).into_iter().flatten() {
                    if self.is_edge(end, next) {
                        distances.entry(next).or_insert(hops);
                    }
                }
            }
        }
        distances.remove(&0);
        distances
    }

    /// Gives relays another chance that failed a minute ago; says whether one had lost preference.
    fn remit(&mut self, now: Instant) -> bool {
        let mut has_regained = false;
        for (relay, at) in &mut self.remitted_at {
            if *at <= now && self.failures.get(relay) >= Some(&3) {
                has_regained = true;
                self.failures.insert(*relay, 2);
                *at = now + Duration::from_secs(60);
            } else if *at <= now {
                self.failures.remove(relay);
            }
        }
        has_regained
    }

    fn distrusted(&self, path: &[u8]) -> usize {
        relays(path).iter().filter(|relay| self.failures.get(relay) >= Some(&3)).count()
    }

    fn failures(&self, path: &[u8]) -> usize {
        relays(path).iter().filter_map(|relay| self.failures.get(relay)).sum()
    }

    fn cost(&self, path: &[u8]) -> (usize, usize) {
        (self.distrusted(path), path.len())
    }

    fn cost_after(&self, path: &[u8], used: &[Path]) -> (usize, usize, usize, usize) {
        let shared =
            relays(path).iter().filter(|relay| used.iter().any(|u| relays(u).contains(relay)));
        (shared.count(), self.distrusted(path), self.failures(path), path.len())
    }
}

fn relays(path: &[u8]) -> &[u8] {
    &path[1..path.len() - 1]
}

/// What happens to a network between two looks at it.
#[derive(Clone, Debug)]
enum Step {
    List { node: u8, other: u8 },
    Unlist { node: u8, other: u8 },
    Remove { node: u8 },
    Fail { path: Index, times: usize },
    Work { path: Index },
}

fn step() -> impl Strategy<Value = Step> {
    let pair = || (0_u8..NODES, 0_u8..NODES);
    prop_oneof![
        2 => pair().prop_map(|(node, other)| Step::List { node, other }),
        2 => pair().prop_map(|(node, other)| Step::Unlist { node, other }),
        1 => (0_u8..NODES).prop_map(|node| Step::Remove { node }),
        4 => (any::<Index>(), 1_usize..5).prop_map(|(path, times)| Step::Fail { path, times }),
        1 => any::<Index>().prop_map(|path| Step::Work { path }),
    ]
}

/// A line, a ring, a star, two cliques with a bridge, a long way beside a short one, or anything.
fn edges() -> impl Strategy<Value = Vec<(u8, u8)>> {
    let line = |last: u8| (0..last).map(|node| (node, node + 1)).collect::<Vec<_>>();
    prop_oneof![
        (1..NODES).prop_map(line),
        (2..NODES).prop_map(move |last| [line(last), vec![(last, 0)]].concat()),
        (0..4_u8, 1..NODES).prop_map(|(hub, n)| (0..n).map(|node| (hub, node)).collect()),
        (2_u8..5, 2_u8..5).prop_map(|(left, right)| {
            let clique =
                |from: u8, to: u8| (from..to).flat_map(move |a| (from..a).map(move |b| (a, b)));
            let bridge = [(left - 1, left)];
            clique(0, left).chain(clique(left, left + right)).chain(bridge).collect()
        }),
        (5_u8..9, any::<bool>()).prop_map(move |(far, other)| {
            let behind = [(0, 11), (11, far), (far, 9), (if other { 9 } else { far }, 10)];
            [line(far), behind.to_vec()].concat()
        }),
        prop::collection::vec((0..8_u8, 0..8_u8), 4..16),
        prop::collection::vec((0..NODES, 0..NODES), 8..18),
    ]
}

/// The network, as the code under test and as its twin sees it.
struct World {
    graph: Graph,
    naive: Naive,
    /// Those of the twin when the graph last heard of it.
    edges: BTreeSet<(u8, u8)>,
    now: Instant,
}

impl World {
    fn new(edges: &[(u8, u8)]) -> Self {
        let (graph, now) = (Graph::new(node(0)), Instant::default());
        let mut world = Self { graph, naive: Naive::default(), edges: BTreeSet::new(), now };
        for &(a, b) in edges {
            world.list(a, b);
            world.list(b, a);
        }
        world
    }

    fn list(&mut self, node: u8, other: u8) {
        self.naive.lists.entry(node).or_default().insert(other);
        self.announce(node);
    }

    /// The edges stay off hold, since half a minute goes by.
    fn announce(&mut self, from: u8) {
        self.now = self.now + Duration::from_secs(30);
        let list: Vec<NodeId> = self.naive.lists[&from].iter().copied().map(node).collect();
        let (before, edges) = (self.paths(), self.edges.clone());
        self.edges = self.naive.edges();
        let may_differ = self.graph.set(self.now, node(from), &list);
        let has_regained = self.naive.remit(self.now);
        assert_eq!(may_differ, has_regained || self.edges != edges);
        assert!(may_differ || before == self.paths(), "a path moved unsaid");
    }

    fn apply(&mut self, step: &Step) {
        let all: Vec<Path> = self.naive.paths().into_values().flatten().collect();
        match step {
            Step::List { node, other } => self.list(*node, *other),
            Step::Unlist { node, other } => {
                self.naive.lists.entry(*node).or_default().remove(other);
                self.announce(*node);
            }
            Step::Remove { node: gone } => {
                self.naive.lists.remove(gone);
                self.naive.failures.remove(gone);
                self.edges = self.naive.edges();
                let before = self.paths();
                let may_differ = self.graph.remove(self.now, node(*gone));
                assert!(may_differ || before == self.paths(), "a path moved unsaid");
            }
            Step::Fail { path, times } if !all.is_empty() => {
                let path = path.get(&all);
                for _ in 0..*times {
                    let before = self.paths();
                    let may_differ = self.graph.failed(self.now, &ids(path));
                    assert!(may_differ || before == self.paths(), "a path moved unsaid");
                    for &relay in relays(path) {
                        *self.naive.failures.entry(relay).or_default() += 1;
                        let remitted_at = self.now + Duration::from_secs(60);
                        self.naive.remitted_at.insert(relay, remitted_at);
                    }
                }
            }
            Step::Work { path } if !all.is_empty() => {
                let path = path.get(&all);
                let before = self.paths();
                let may_differ = self.graph.worked(&ids(path));
                assert!(may_differ || before == self.paths(), "a path moved unsaid");
                self.naive.failures.retain(|relay, _| !relays(path).contains(relay));
            }
            Step::Fail { .. } | Step::Work { .. } => {}
        }
    }

    fn paths(&self) -> Vec<Option<Path>> {
        (0..=NODES).map(|to| self.graph.path(node(to)).map(numbers)).collect()
    }

    /// ROUTE-1, ROUTE-3: the path to each node is as good as any that exists.
    fn check_paths(&self) {
        let (all, distances) = (self.naive.paths(), self.naive.distances());
        for to in 0..=NODES {
            let path = self.graph.path(node(to)).map(numbers);
            assert_eq!(self.graph.is_reachable(node(to)), path.is_some());
            let Some(path) = path else {
                assert!(!all.contains_key(&to), "{to}");
                continue;
            };
            assert!(all[&to].contains(&path), "{path:?} is not simple or does not exist");
            let best = all[&to].iter().map(|path| self.naive.cost(path)).min();
            assert_eq!(Some(self.naive.cost(&path)), best, "{path:?}");
            if self.naive.failures.is_empty() {
                assert_eq!(path.len() - 1, distances[&to]);
            }
        }
        let reachable = self.graph.reachable().map(number).collect::<Vec<_>>();
        assert!(reachable.iter().eq(distances.keys()));
    }

    /// Each further try shares as little as any path that is left, until none is.
    fn check_alternatives(&self, first: Index) {
        for (to, all) in self.naive.paths() {
            let mut used = vec![first.get(&all).clone()];
            for _ in 0..6 {
                let ids: Vec<Vec<NodeId>> = used.iter().map(|path| ids(path)).collect();
                let other = numbers(&self.graph.alternative(node(to), &ids).unwrap());
                let left = all.iter().filter(|path| !used.contains(path));
                let Some(best) = left.map(|path| self.naive.cost_after(path, &used)).min() else {
                    let since = |path: &Path| used.iter().rposition(|other| other == path);
                    assert!(used.iter().all(|path| since(&other) <= since(path)));
                    used.push(other);
                    continue;
                };
                assert!(all.contains(&other), "{other:?} is not simple or does not exist");
                assert!(!used.contains(&other), "{other:?} again");
                assert_eq!(self.naive.cost_after(&other, &used), best, "{other:?} after {used:?}");
                used.push(other);
            }
        }
    }

    /// The tree reaches what breadth-first search reaches, and each link carries one copy.
    fn check_tree(&self, exits: &BTreeSet<u8>) {
        let wanted: Vec<NodeId> = exits.iter().copied().map(node).collect();
        let tree = self.graph.tree(&wanted);
        let distances = self.naive.distances();
        let routes = deliver(&tree);
        for route in routes.values() {
            let [.., from, to] = route[..] else { panic!("a route has both ends") };
            assert!(self.naive.is_edge(from, to), "{route:?}");
            assert!(route.len() <= HOPS_MAX + 1);
        }
        for stop in tree.stops() {
            assert_eq!(stop.is_exit, exits.contains(&number(stop.node)));
        }
        for &exit in exits.iter().filter(|&&exit| exit != 0) {
            let route = routes.get(&exit);
            assert_eq!(route.is_some(), distances.contains_key(&exit), "{exit}");
            assert_eq!(route.is_none(), tree.unreachable().contains(&node(exit)));
            // In so small a network no way is too long, so trees need not give up preference.
            let is_small = self.naive.lists.keys().count() <= HOPS_MAX + 1;
            if let Some(route) = route
                && is_small
            {
                let path = numbers(self.graph.path(node(exit)).unwrap());
                assert_eq!(self.naive.cost(route), self.naive.cost(&path));
            }
            if let Some(route) = route
                && self.naive.failures.is_empty()
            {
                assert_eq!(route.len() - 1, distances[&exit]);
            }
        }
    }
}

/// Passes a tree on as relays would that know nothing but their part; answers how each node got it.
fn deliver(tree: &Tree) -> BTreeMap<u8, Path> {
    let part = |branch: Branch<'_>| branch.stops().to_vec();
    let mut under_way: Vec<(Path, Vec<Stop>)> =
        tree.branches().map(|branch| (vec![0], part(branch))).collect();
    let mut routes = BTreeMap::new();
    while let Some((mut route, stops)) = under_way.pop() {
        let branch = Branch::new(&stops).unwrap();
        assert_eq!(usize::from(stops[0].depth), route.len());
        route.push(number(branch.node()));
        under_way.extend(branch.branches().map(|next| (route.clone(), part(next))));
        assert!(branch.is_exit() || branch.branches().count() > 0, "a copy for nobody");
        assert_eq!(routes.insert(number(branch.node()), route), None, "a second copy");
    }
    routes
}

fn node(number: u8) -> NodeId {
    NodeId::from_bytes([number; 32])
}

fn number(node: NodeId) -> u8 {
    node.as_bytes()[0]
}

fn ids(path: &[u8]) -> Vec<NodeId> {
    path.iter().copied().map(node).collect()
}

fn numbers(path: &[NodeId]) -> Path {
    path.iter().copied().map(number).collect()
}

/// Enough that a line or a ring has nodes that are too far away.
const NODES: u8 = 12;

proptest! {
    #[test]
    fn no_path_is_better_than_ours(
        edges in edges(),
        steps in prop::collection::vec(step(), 0..8),
        exits in prop::collection::btree_set(0..=NODES, 0..8),
    ) {
        let mut world = World::new(&edges);
        world.check_paths();
        world.check_tree(&exits);
        for step in steps {
            world.apply(&step);
            world.check_paths();
            world.check_tree(&exits);
        }
    }

    #[test]
    fn no_unused_path_is_fresher_than_an_alternative(
        edges in edges(),
        steps in prop::collection::vec(step(), 0..6),
        first: Index,
    ) {
        let mut world = World::new(&edges);
        steps.iter().for_each(|step| world.apply(step));
        world.check_alternatives(first);
    }
}
