//! The search for another way after one is in doubt.
//!
//! The cheapest way is often enough another one already, since the caller lets shared relays cost.
//! If it is not, every way that was not used leaves each used one somewhere, last of all the one it
//! follows the longest. So for each beginning of a used way we search the cheapest that begins like
//! it and then goes where no used way goes: together these are all the others, each once.

use std::collections::BTreeSet;

use crate::map::{Cost, Map};

/// Finds the cheapest way to `to` that is none of `used`; if there is none, the one of `used` that
/// was used the longest ago. Both ends are included.
///
/// Each of `used` must be [a way](is_way) to `to`.
pub(crate) fn alternative(
    map: &Map,
    to: usize,
    used: &[Vec<usize>],
    relay_cost: impl Fn(usize) -> Cost,
) -> Option<Vec<usize>> {
    let search = |start: &[usize], barred: &[usize]| {
        let labels = map.search(start, barred, Some(to), &relay_cost);
        let position = labels.cheapest(to)?;
        Some((labels.label(position).cost, labels.way(position)))
    };
    let (_, best) = search(&[map.own()], &[])?;
    if !used.contains(&best) {
        return Some(best);
    }
    let starts: BTreeSet<&[usize]> =
        used.iter().flat_map(|way| (1..way.len()).map(|len| &way[..len])).collect();
    let others = starts.into_iter().filter_map(|start| {
        let followers = used.iter().filter(|way| way.starts_with(start));
        let barred: Vec<usize> = followers.map(|way| way[start.len()]).collect();
        search(start, &barred)
    });
    let oldest = || used.iter().min_by_key(|&way| used.iter().rposition(|other| other == way));
    let other = others.min_by_key(|(cost, way)| (*cost, way.len()));
    other.map(|(_, way)| way).or_else(|| oldest().cloned())
}

/// Whether these nodes are a simple way from us over edges that exist.
pub(crate) fn is_way(map: &Map, nodes: &[usize]) -> bool {
    let is_simple = nodes.iter().collect::<BTreeSet<_>>().len() == nodes.len();
    let leads_on = |pair: &[usize]| map.edge(pair[0], pair[1]).is_some();
    nodes.first() == Some(&map.own()) && is_simple && nodes.windows(2).all(leads_on)
}
