//! What a large network took, for people and for programs.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Large, PerLink, Phase};
use crate::memory::Memory;

/// What a large network took, and how long it was run for that.
#[derive(Debug)]
pub(crate) struct LargeReport {
    pub(crate) large: Large,
    pub(crate) took: Duration,
}

impl LargeReport {
    /// Whether all nodes came to know everything, and nothing else.
    pub(crate) fn is_good(&self) -> bool {
        let Large { start, subscribe, wrong_views, .. } = &self.large;
        start.took.is_some() && subscribe.took.is_some() && wrong_views.is_empty()
    }

    pub(crate) fn to_json(&self) -> Value {
        let Large { nodes, topics, links, diameter, wrong_views, .. } = &self.large;
        let (least, most) = self.large.heartbeat_frames;
        let per_node = |bytes| bytes / *nodes as u64;
        let memory = |Memory { resident, peak }: Memory| {
            json!({
                "resident_bytes_per_node": per_node(resident),
                "peak_bytes_per_node": per_node(peak),
            })
        };
        json!({
            "nodes": nodes,
            "topics": topics,
            "links": links,
            "diameter": diameter,
            "start": phase(&self.large.start),
            "subscribe": phase(&self.large.subscribe),
            "heartbeat": {
                "per_link": per_link(&self.large.heartbeat),
                "frames_each_way": { "least": least, "most": most },
            },
            "memory": self.large.memory.map(memory),
            "wrong_views": wrong_views.len(),
            "seconds": self.took.as_secs_f64(),
        })
    }
}

fn phase(phase: &Phase) -> Value {
    json!({
        "simulated_seconds": phase.took.map(|took| took.as_secs_f64()),
        "per_link": per_link(&phase.cost),
    })
}

fn per_link(cost: &PerLink) -> Value {
    json!({
        "bytes": { "median": cost.bytes_median, "max": cost.bytes_max },
        "frames": { "median": cost.frames_median, "max": cost.frames_max },
    })
}

impl fmt::Display for LargeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Large { nodes, topics, links, diameter, memory, .. } = &self.large;
        let Large { start, subscribe, heartbeat, wrong_views, .. } = &self.large;
        writeln!(f, "{nodes} nodes, {links} links, {diameter} hops at most, {topics} topics\n")?;
        writeln!(
            f,
            "{:<28}{:>10}{:>26}{:>20}",
            "", "seconds", "bytes per link", "frames per link"
        )?;
        writeln!(f, "{:<28}{:>10}{:>26}{:>20}", "", "", "median / max", "median / max")?;
        row(f, "all come up at once", &took(start), &start.cost)?;
        row(f, "one client subscribes", &took(subscribe), &subscribe.cost)?;
        row(f, "one heartbeat when quiet", "", heartbeat)?;
        let (least, most) = self.large.heartbeat_frames;
        writeln!(f, "\nframes each way and heartbeat when quiet: {least} to {most}")?;
        if let Some(Memory { resident, peak }) = memory {
            let per_node = |bytes: u64| bytes / 1024 / *nodes as u64;
            let (resident, peak) = (per_node(*resident), per_node(*peak));
            writeln!(f, "memory of the process for each node: {resident} KiB, at most {peak} KiB")?;
        }
        for wrong in wrong_views.iter().take(SHOWN_MAX) {
            writeln!(f, "{wrong}")?;
        }
        writeln!(f, "the run took {:.0} s", self.took.as_secs_f64())?;
        write!(f, "nodes {nodes} topics {topics} wrong views {}", wrong_views.len())
    }
}

fn took(phase: &Phase) -> String {
    phase.took.map_or_else(|| "never".to_owned(), |took| format!("{:.3}", took.as_secs_f64()))
}

fn row(f: &mut fmt::Formatter<'_>, what: &str, took: &str, cost: &PerLink) -> fmt::Result {
    let bytes = format!("{} / {}", cost.bytes_median, cost.bytes_max);
    let frames = format!("{} / {}", cost.frames_median, cost.frames_max);
    writeln!(f, "{what:<28}{took:>10}{bytes:>26}{frames:>20}")
}

/// Most wrong views that are shown.
const SHOWN_MAX: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> LargeReport {
        let cost = PerLink { bytes_median: 7, bytes_max: 11, frames_median: 1, frames_max: 2 };
        let phase = Phase { took: Some(Duration::from_millis(250)), cost };
        LargeReport {
            large: Large {
                nodes: 4,
                topics: 9,
                links: 5,
                diameter: 2,
                start: phase,
                subscribe: phase,
                heartbeat: cost,
                heartbeat_frames: (1, 1),
                memory: Some(Memory { resident: 8 << 10, peak: 16 << 10 }),
                wrong_views: Vec::new(),
            },
            took: Duration::from_secs(3),
        }
    }

    #[test]
    fn both_forms_say_the_same() {
        let (report, text) = (report(), report().to_string());
        assert!(report.is_good());
        assert!(
            text.contains("memory of the process for each node: 2 KiB, at most 4 KiB"),
            "{text}"
        );
        assert!(text.ends_with("the run took 3 s\nnodes 4 topics 9 wrong views 0"), "{text}");
        let json = report.to_json();
        assert_eq!(json["start"]["simulated_seconds"], json!(0.25));
        assert_eq!(json["subscribe"]["per_link"]["bytes"], json!({ "median": 7, "max": 11 }));
        assert_eq!(json["memory"]["resident_bytes_per_node"], json!(2048));
    }

    #[test]
    fn a_network_that_does_not_come_to_agree_is_not_good() {
        let mut late = report();
        late.large.start.took = None;
        assert!(!late.is_good());
        assert!(late.to_string().contains("never"));
        let mut wrong = report();
        wrong.large.wrong_views.push("node 1 believes a lie".to_owned());
        assert!(!wrong.is_good());
        assert!(wrong.to_string().contains("node 1 believes a lie"));
    }
}
