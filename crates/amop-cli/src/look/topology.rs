//! The network as a table, and as graphs for documents.
//!
//! An edge counts only if both ends say so; one that a single end speaks of is drawn dashed.

use std::collections::BTreeMap;

use amop_node::view::NodeView;

use super::show;

/// A line for each node: whom it is linked with, and how far it is.
pub(crate) fn table(nodes: &[NodeView]) -> String {
    let rows = nodes.iter().map(|node| {
        let hops = match &node.path {
            Some(path) => path.len().saturating_sub(1).to_string(),
            None => "unreachable".into(),
        };
        vec![node.name.clone(), hops, node.topics.to_string(), node.neighbours.join(" ")]
    });
    show::table(["NODE", "HOPS", "TOPICS", "LINKED WITH"], rows)
}

/// A graph in the language of Graphviz.
pub(crate) fn dot(nodes: &[NodeView]) -> String {
    let mut text = "graph amop {\n".to_owned();
    for (agency, nodes) in by_agency(nodes) {
        text += &format!("  subgraph \"cluster_{agency}\" {{\n    label = \"{agency}\"\n");
        for node in nodes {
            let color = if node.path.is_some() { "" } else { " [color=red]" };
            text += &format!("    \"{}\"{color}\n", node.name);
        }
        text += "  }\n";
    }
    for (a, b, both) in edges(nodes) {
        let style = if both { "" } else { " [style=dashed]" };
        text += &format!("  \"{a}\" -- \"{b}\"{style}\n");
    }
    text + "}"
}

/// A graph as Markdown shows it.
pub(crate) fn mermaid(nodes: &[NodeView]) -> String {
    let id = |name: &str| name.replace(|char: char| !char.is_ascii_alphanumeric(), "_");
    let mut text = "graph LR\n".to_owned();
    for (agency, nodes) in by_agency(nodes) {
        text += &format!("  subgraph {}[\"{agency}\"]\n", id(agency));
        for node in nodes {
            text += &format!("    {}[\"{}\"]\n", id(&node.name), node.name);
        }
        text += "  end\n";
    }
    for (a, b, both) in edges(nodes) {
        let line = if both { "---" } else { "-.-" };
        text += &format!("  {} {line} {}\n", id(a), id(b));
    }
    text.trim_end().to_owned()
}

/// The third part of `label.node.agency.domain`; ids of nodes without a name have none.
fn by_agency(nodes: &[NodeView]) -> BTreeMap<&str, Vec<&NodeView>> {
    let mut agencies: BTreeMap<&str, Vec<&NodeView>> = BTreeMap::new();
    for node in nodes {
        agencies.entry(node.name.split('.').nth(2).unwrap_or("unknown")).or_default().push(node);
    }
    agencies
}

/// Each edge once, and whether both ends speak of it.
fn edges(nodes: &[NodeView]) -> Vec<(&str, &str, bool)> {
    let mut edges: BTreeMap<(&str, &str), bool> = BTreeMap::new();
    for node in nodes {
        for neighbour in &node.neighbours {
            let (a, b) = (node.name.as_str(), neighbour.as_str());
            let edge = if a < b { (a, b) } else { (b, a) };
            edges.entry(edge).and_modify(|both| *both = true).or_insert(false);
        }
    }
    edges.into_iter().map(|((a, b), both)| (a, b, both)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network() -> Vec<NodeView> {
        let node = |name: &str, neighbours: &[&str], path: Option<&[&str]>| NodeView {
            name: name.into(),
            neighbours: neighbours.iter().map(|&name| name.to_owned()).collect(),
            path: path.map(|path| path.iter().map(|&name| name.to_owned()).collect()),
            topics: 1,
        };
        let (a, b, c) = ("n1.node.bank-a.amop", "n1.node.bank-b.amop", "n2.node.bank-b.amop");
        vec![node(a, &[b], Some(&[a])), node(b, &[a, c], Some(&[a, b])), node(c, &[], None)]
    }

    #[test]
    fn an_edge_of_which_only_one_end_speaks_is_dashed() {
        let graph = dot(&network());
        assert!(graph.contains("\"n1.node.bank-a.amop\" -- \"n1.node.bank-b.amop\"\n"), "{graph}");
        let dashed = "\"n1.node.bank-b.amop\" -- \"n2.node.bank-b.amop\" [style=dashed]\n";
        assert!(graph.contains(dashed) && graph.contains("[color=red]"), "{graph}");
        let graph = mermaid(&network());
        assert!(graph.contains("n1_node_bank_a_amop --- n1_node_bank_b_amop"), "{graph}");
        assert!(graph.contains("n1_node_bank_b_amop -.- n2_node_bank_b_amop"), "{graph}");
        assert!(graph.contains("subgraph bank_b[\"bank-b\"]"), "{graph}");
    }

    #[test]
    fn a_table_shows_how_far_each_node_is() {
        let table = table(&network());
        let rows: Vec<Vec<&str>> = table.lines().map(|l| l.split_whitespace().collect()).collect();
        assert_eq!([rows[1][1], rows[2][1], rows[3][1]], ["0", "1", "unreachable"]);
    }
}
