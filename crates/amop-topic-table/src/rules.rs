//! What whom is permitted on which topics: the rules of one operator, in their order.
//!
//! The first rule that is about both the client and the topic decides, and it decides about all actions: what
//! it does not name is refused. Where there are rules, what none of them is about is refused too; without any
//! rule everything is permitted.
//!
//! Of a client at another node nobody knows the name, only the agency of its node. So of an announcement
//! is believed what *some* client of that agency may subscribe to: a rule that refuses some of them leaves it
//! to the next rule, one that permits some of them is enough.

use std::sync::Arc;

use amop_wire::{Name, NamePattern, Share, Topic, TopicPattern};

/// The rules of a node. A clone is cheap: it shares them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules(Arc<[Rule]>);

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Whom it is about: whomever one of these fits.
    pub who: Vec<NamePattern>,
    /// Which topics it is about: those that one of these fits.
    pub topics: Vec<TopicPattern>,
    /// What it permits.
    pub allow: Permissions,
}

/// What a client may do with a topic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Permissions {
    /// Publish messages to it, and learn who subscribes to it.
    pub publish: bool,
    /// Subscribe to it.
    pub subscribe: bool,
    /// Send files to it.
    pub file: bool,
}

impl Permissions {
    /// Everything.
    pub const ALL: Self = Self { publish: true, subscribe: true, file: true };
}

impl Rules {
    /// Rules in the order in which they are tried; none permit everything.
    #[must_use]
    pub fn new(rules: Vec<Rule>) -> Self {
        Self(rules.into())
    }

    /// Whether there is none, so that everything is permitted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Which rule decides about a client and a topic, counted from 0, if any does.
    #[must_use]
    pub fn deciding(&self, who: &Name, topic: &Topic) -> Option<usize> {
        let is_about =
            |rule: &Rule| rule.who.iter().any(|pattern| pattern.fits(who)) && rule.is_about(topic);
        self.0.iter().position(is_about)
    }

    /// What a client may do with a topic. Takes time with the number of rules.
    #[must_use]
    pub fn permissions(&self, who: &Name, topic: &Topic) -> Permissions {
        match self.deciding(who, topic) {
            _ if self.is_empty() => Permissions::ALL,
            Some(number) => self.0[number].allow,
            None => Permissions::default(),
        }
    }

    /// Whether some client of the agency of this node may subscribe to a topic.
    #[must_use]
    pub fn may_announce(&self, node: &Name, topic: &Topic) -> bool {
        self.is_permitted_to_some(node, topic, |allow| allow.subscribe)
    }

    /// Whether some client of the agency of this node may publish to a topic.
    #[must_use]
    pub fn may_publish(&self, node: &Name, topic: &Topic) -> bool {
        self.is_permitted_to_some(node, topic, |allow| allow.publish)
    }

    fn is_permitted_to_some(
        &self,
        node: &Name,
        topic: &Topic,
        what: impl Fn(Permissions) -> bool,
    ) -> bool {
        if self.is_empty() {
            return true;
        }
        for rule in self.0.iter().filter(|rule| rule.is_about(topic)) {
            let mut shares = rule.who.iter().map(|pattern| pattern.share_of_clients(node));
            let is_about_all = shares.clone().any(|share| share == Share::All);
            let is_about_some = is_about_all || shares.any(|share| share == Share::Some);
            if is_about_some && what(rule.allow) {
                return true;
            }
            if is_about_all {
                return false;
            }
        }
        false
    }
}

impl Rule {
    fn is_about(&self, topic: &Topic) -> bool {
        self.topics.iter().any(|pattern| pattern.fits(topic.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLISH: Permissions = Permissions { publish: true, subscribe: false, file: false };
    const SUBSCRIBE: Permissions = Permissions { publish: false, subscribe: true, file: false };
    const NOTHING: Permissions = Permissions { publish: false, subscribe: false, file: false };

    fn rules(rules: &[(&str, &str, Permissions)]) -> Rules {
        let rule = |&(who, topics, allow): &(&str, &str, _)| Rule {
            who: who.split(' ').map(|text| text.parse().unwrap()).collect(),
            topics: topics.split(' ').map(|text| text.parse().unwrap()).collect(),
            allow,
        };
        Rules::new(rules.iter().map(rule).collect())
    }

    fn permissions(rules: &Rules, who: &str, topic: &str) -> Permissions {
        rules.permissions(&who.parse().unwrap(), &topic.parse().unwrap())
    }

    /// ACL-1
    #[test]
    fn without_rules_everything_is_permitted_and_with_rules_only_what_one_permits() {
        let pay = "pay.sdk.bank-a.amop";
        assert_eq!(permissions(&Rules::default(), pay, "quote"), Permissions::ALL);
        let rules = rules(&[(pay, "quote settle/*", PUBLISH)]);
        assert_eq!(permissions(&rules, pay, "settle/usd"), PUBLISH);
        assert_eq!(permissions(&rules, pay, "other"), NOTHING);
        assert_eq!(permissions(&rules, "risk.sdk.bank-a.amop", "quote"), NOTHING);
    }

    /// ACL-1
    #[test]
    fn the_first_rule_that_is_about_client_and_topic_decides_about_every_action() {
        let rules = rules(&[
            ("pay.sdk.bank-a.amop risk.sdk.bank-a.amop", "quote", PUBLISH),
            ("agency:bank-a", "quote", NOTHING),
            ("*", "*", Permissions::ALL),
        ]);
        assert_eq!(permissions(&rules, "risk.sdk.bank-a.amop", "quote"), PUBLISH, "not the third");
        assert_eq!(permissions(&rules, "other.sdk.bank-a.amop", "quote"), NOTHING);
        assert_eq!(permissions(&rules, "pay.sdk.bank-a.amop", "other"), Permissions::ALL);
        let deciding = rules.deciding(&"x.sdk.bank-b.amop".parse().unwrap(), &topic("quote"));
        assert_eq!(deciding, Some(2));
    }

    fn topic(text: &str) -> Topic {
        text.parse().unwrap()
    }

    /// REACH-2
    #[test]
    fn an_agency_may_publish_where_some_client_of_it_may() {
        let may = |given: &[(&str, &str, Permissions)]| {
            let node = "n1.node.bank-b.amop".parse().unwrap();
            rules(given).may_publish(&node, &topic("quote"))
        };
        assert!(may(&[]), "no rules");
        assert!(may(&[("pay.sdk.bank-b.amop", "*", PUBLISH), ("*", "*", NOTHING)]));
        assert!(!may(&[("agency:bank-b", "*", SUBSCRIBE)]), "to subscribe is another thing");
        assert!(!may(&[("pay.sdk.bank-a.amop", "*", PUBLISH)]), "that is another agency");
    }

    /// ACL-4
    #[test]
    fn of_an_agency_is_believed_what_some_client_of_it_may_subscribe_to() {
        let may = |given: &[(&str, &str, Permissions)]| {
            let node = "n1.node.bank-b.amop".parse().unwrap();
            rules(given).may_announce(&node, &topic("quote"))
        };
        assert!(may(&[]), "no rules");
        assert!(!may(&[("agency:bank-a", "*", SUBSCRIBE)]), "none is about it");
        assert!(!may(&[("agency:bank-b", "other", SUBSCRIBE)]), "none is about the topic");
        assert!(!may(&[("agency:bank-b", "*", PUBLISH)]));
        assert!(may(&[("pay.sdk.bank-b.amop", "*", SUBSCRIBE), ("*", "*", NOTHING)]));
        assert!(may(&[("pay.sdk.bank-b.amop", "*", NOTHING), ("*", "*", SUBSCRIBE)]), "others may");
        assert!(!may(&[("agency:bank-b", "*", NOTHING), ("*", "*", SUBSCRIBE)]), "nobody may");
        assert!(!may(&[("*.node.bank-b.amop", "*", SUBSCRIBE)]), "a node is no client");
    }
}
