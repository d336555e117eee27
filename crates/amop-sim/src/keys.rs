//! Whether publishes with one idempotency key are one message.

use std::collections::{BTreeMap, BTreeSet};

use amop_wire::{Code, Instance, Key, MsgId};

use crate::application::answer_to;
use crate::contract::{End, Publication};

/// Everything that breaks the promise, one sentence each. A key belongs to one client here.
pub(crate) fn violations(publications: &BTreeMap<MsgId, Publication>) -> Vec<String> {
    let mut groups = BTreeMap::<Key, Vec<(MsgId, &Publication)>>::new();
    for (&id, publication) in publications {
        if let Some(key) = publication.terms.key {
            groups.entry(key).or_default().push((id, publication));
        }
    }
    groups.into_iter().flat_map(|(key, group)| of_one(key, &group)).collect()
}

fn of_one(key: Key, group: &[(MsgId, &Publication)]) -> Vec<String> {
    let calls: Vec<(MsgId, Instance)> = group
        .iter()
        .flat_map(|(id, publication)| publication.calls.iter().map(|call| (*id, call.instance)))
        .collect();
    let instances: BTreeSet<Instance> = calls.iter().map(|&(_, instance)| instance).collect();
    let mut found = Vec::new();
    if instances.len() < calls.len() {
        found.push(format!("{key:?}: one instance handled it twice: {calls:?}"));
    }
    for (id, publication) in group {
        let is_answer = |payload| calls.iter().any(|&(id, by)| answer_to(id, by) == payload);
        for (_, end) in &publication.ends {
            if let End::Outcome { code: Code::Ok, payload, .. } = end
                && !is_answer(payload)
            {
                found.push(format!("{key:?}: {id} has an answer that nobody gave"));
            }
        }
    }
    found
}
