//! Which links there may be: with whom the operator wants any, and how many of the node and of each agency, so that none
//! takes all of them.

use std::collections::BTreeMap;

use amop_wire::{CloseCode, CloseReason, Name};

use crate::access::Access;
use crate::limits::Limits;

/// Counts the links that are there.
#[derive(Debug)]
pub(crate) struct Gate {
    limits: Limits,
    access: Access,
    links: usize,
    of_agencies: BTreeMap<Box<str>, usize>,
}

impl Gate {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, access: Access::default(), links: 0, of_agencies: BTreeMap::new() }
    }

    /// Goes by other limits from now on. Links that are there stay.
    pub(crate) fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Lets others in from now on. Links that are there are judged by whoever has them.
    pub(crate) fn set_access(&mut self, access: Access) {
        self.access = access;
    }

    /// Counts a link with somebody, unless nobody wants it or there are too many.
    pub(crate) fn enter(&mut self, name: &Name) -> Result<(), CloseReason> {
        self.access.judge(name)?;
        let overloaded = |text| Err(CloseReason::new(CloseCode::Overloaded, text));
        if self.links >= self.limits.links {
            return overloaded("the node has too many links");
        }
        let of_agency = self.of_agencies.entry(name.agency_subtree().into()).or_default();
        if *of_agency >= self.limits.links_per_agency {
            return overloaded("the node has too many links of this agency");
        }
        *of_agency += 1;
        self.links += 1;
        Ok(())
    }

    /// A link that was counted is gone.
    pub(crate) fn leave(&mut self, name: &Name) {
        self.links -= 1;
        if let Some(of_agency) = self.of_agencies.get_mut(name.agency_subtree()) {
            *of_agency -= 1;
            if *of_agency == 0 {
                self.of_agencies.remove(name.agency_subtree());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_taken_up_to_the_limits_of_the_agency_and_of_the_node_and_not_one_more() {
        let limits = Limits { links: 3, links_per_agency: 2, ..Limits::default() };
        let mut gate = Gate::new(limits);
        let [a, b] = ["app.sdk.bank-a.amop", "n1.node.bank-b.amop"]
            .map(|name| name.parse::<Name>().unwrap());
        let enter = |gate: &mut Gate, name: &Name| gate.enter(name).map_err(|why| why.text);
        assert_eq!([enter(&mut gate, &a), enter(&mut gate, &a)], [Ok(()), Ok(())]);
        let of_agency = enter(&mut gate, &a).unwrap_err();
        assert!(of_agency.contains("of this agency"), "{of_agency}");
        assert_eq!(enter(&mut gate, &b), Ok(()));
        let of_node = enter(&mut gate, &b).unwrap_err();
        assert_eq!(of_node, "the node has too many links");
        gate.leave(&a);
        assert_eq!(enter(&mut gate, &b), Ok(()));
        gate.leave(&a);
        gate.leave(&b);
        gate.leave(&b);
        assert!(gate.of_agencies.is_empty() && gate.links == 0);
    }

    #[test]
    fn other_limits_count_for_who_comes_next_and_put_nobody_out() {
        let limits =
            |links, links_per_agency| Limits { links, links_per_agency, ..Limits::default() };
        let name: Name = "app.sdk.bank-a.amop".parse().unwrap();
        for lower in [limits(1, 9), limits(9, 1)] {
            let mut gate = Gate::new(limits(3, 3));
            for _ in 0..3 {
                gate.enter(&name).unwrap();
            }
            gate.set_limits(lower);
            gate.leave(&name);
            assert!(gate.enter(&name).is_err(), "two are there, and one may be");
            gate.leave(&name);
            gate.leave(&name);
            assert_eq!([gate.enter(&name).is_ok(), gate.enter(&name).is_ok()], [true, false]);
            gate.set_limits(limits(2, 2));
            assert_eq!([gate.enter(&name).is_ok(), gate.enter(&name).is_ok()], [true, false]);
        }
    }
}
