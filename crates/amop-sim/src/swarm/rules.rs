//! Access rules in random worlds: every node goes by some or by none, and by others after a while.

use amop_core::node::{Permissions, Rule};

use super::Swarm;
use crate::NodeId;

impl Swarm {
    /// Every node begins with rules of its own.
    pub(super) fn begin_with_rules(&mut self) {
        for node in self.nodes.clone() {
            self.rule(node);
        }
    }

    /// Now and then a node reads other rules, unless its process stands still.
    pub(super) fn rules_step(&mut self) {
        if self.world.draw(40) > 0 {
            return;
        }
        let node = self.world.any(&self.nodes);
        if !self.world.is_node_paused(node) {
            self.rule(node);
        }
    }

    /// Nothing is forbidden any more.
    pub(super) fn lift_rules(&mut self) {
        for node in self.nodes.clone() {
            self.world.set_rules(node, Vec::new());
        }
    }

    /// Draws the rules of a node: often none, and often such that what no rule is about is permitted.
    fn rule(&mut self, node: NodeId) {
        let count = [0, 0, 1, 2, 4][self.pick(5)];
        let mut rules: Vec<Rule> = (0..count).map(|_| self.draw_rule()).collect();
        if count > 0 && self.world.draw(3) > 0 {
            let (who, topics) = (["*".parse().expect(PATTERN)], ["*".parse().expect(PATTERN)]);
            rules.push(Rule { who: who.into(), topics: topics.into(), allow: Permissions::ALL });
        }
        self.world.set_rules(node, rules);
    }

    fn draw_rule(&mut self) -> Rule {
        let names: Vec<String> = (0..1 + self.pick(2)).map(|_| self.draw_who()).collect();
        let topics: Vec<String> = (0..1 + self.pick(2)).map(|_| self.draw_topics()).collect();
        let bits = self.world.draw(8);
        Rule {
            who: names.iter().map(|name| name.parse().expect(PATTERN)).collect(),
            topics: topics.iter().map(|topic| topic.parse().expect(PATTERN)).collect(),
            allow: Permissions {
                publish: bits & 1 > 0,
                subscribe: bits & 2 > 0,
                file: bits & 4 > 0,
            },
        }
    }

    fn draw_who(&mut self) -> String {
        match self.world.draw(6) {
            0 => "*".to_owned(),
            1 => "agency:bank".to_owned(),
            2 => "agency:elsewhere".to_owned(),
            _ => format!("c{}.sdk.bank.amop", self.pick(self.clients.len())),
        }
    }

    fn draw_topics(&mut self) -> String {
        match self.world.draw(8) {
            0 => "*".to_owned(),
            1 => "t*".to_owned(),
            2 => format!("files {}", self.world.draw(2)),
            3 => "private *".to_owned(),
            _ => self.world.any(&self.topics),
        }
    }
}

const PATTERN: &str = "a pattern";
