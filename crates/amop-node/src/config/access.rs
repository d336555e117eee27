//! Who is let in, and the rules of `[[acl]]` in their order.

use amop_core::node::{Permissions, Rule, Rules};

use super::kind::some_texts;
use super::problems::Place;
use super::reader::Reader;
use crate::access::{Access, Door};

/// Reads the rules and lists, and where each rule begins. What is wrong with one was found with its keys.
pub(crate) fn access(reader: &Reader) -> (Access, Vec<Place>) {
    let numbers = 0..reader.count_of("acl");
    let (rules, places) = numbers.filter_map(|number| rule(reader, number)).unzip();
    let names = |key: &str| {
        let texts = reader.tree.entries.get(key).and_then(|entry| some_texts(&entry.value));
        texts.into_iter().flatten().filter_map(|text| text.parse().ok()).collect()
    };
    let access = Access {
        rules: Rules::new(rules),
        peers: Door { allow: names("p2p.allow"), deny: names("p2p.deny") },
        clients: Door { allow: names("sdk.allow"), deny: names("sdk.deny") },
    };
    (access, places)
}

fn rule(reader: &Reader, number: usize) -> Option<(Rule, Place)> {
    let path = |last: &str| format!("acl[{number}].{last}");
    let texts = |last: &str| some_texts(&reader.tree.entries.get(&path(last))?.value);
    let allow = texts("allow")?;
    let rule = Rule {
        who: texts("who")?.into_iter().map(str::parse).collect::<Result<_, _>>().ok()?,
        topics: texts("topics")?.into_iter().map(str::parse).collect::<Result<_, _>>().ok()?,
        allow: Permissions {
            publish: allow.contains(&"publish"),
            subscribe: allow.contains(&"subscribe"),
            file: allow.contains(&"file"),
        },
    };
    Some((rule, reader.place_of(&path("who"))?))
}
