//! The rules of `[[acl]]`, in their order.

use amop_core::node::{Permissions, Rule, Rules};

use super::kind::some_texts;
use super::problems::Place;
use super::reader::Reader;

/// Reads the rules, and where each begins. What is wrong with one was found with its keys.
pub(crate) fn rules(reader: &Reader) -> (Rules, Vec<Place>) {
    let numbers = 0..reader.count_of("acl");
    let (rules, places) = numbers.filter_map(|number| rule(reader, number)).unzip();
    (Rules::new(rules), places)
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
