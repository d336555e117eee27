//! Whom a node lets in, and what clients may do: what an operator can change while it runs.
//!
//! A certificate says who somebody is; whether that one may link here is the operator's to say. A name on a list
//! of those that are let in is no promise for another: `deny` wins.

use amop_core::node::Rules;
use amop_wire::{CloseCode, CloseReason, Name, NamePattern, Role};

/// Whom a node lets in, and what clients may do there. The default lets in everybody with a good certificate, and
/// permits everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// What clients may do with which topics.
    pub rules: Rules,
    /// Which nodes may link.
    pub peers: Door,
    /// Which clients may attach.
    pub clients: Door,
}

/// Who may come in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Door {
    /// Whom one of these fits; everybody, if there is none.
    pub allow: Vec<NamePattern>,
    /// But nobody whom one of these fits.
    pub deny: Vec<NamePattern>,
}

impl Door {
    /// Whether somebody may come in.
    #[must_use]
    pub fn admits(&self, name: &Name) -> bool {
        let fits = |pattern: &NamePattern| pattern.fits(name);
        (self.allow.is_empty() || self.allow.iter().any(fits)) && !self.deny.iter().any(fits)
    }
}

impl Access {
    /// Why somebody may not link, if so.
    pub(crate) fn judge(&self, name: &Name) -> Result<(), CloseReason> {
        let door = match name.role() {
            Role::Node => &self.peers,
            Role::Sdk => &self.clients,
        };
        match door.admits(name) {
            true => Ok(()),
            false => {
                let text = format!("the operator does not let {} in", name.as_dns());
                Err(CloseReason::new(CloseCode::Refused, text))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_denied_stays_out_also_if_allowed_and_an_empty_list_allows_everybody() {
        let patterns = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        let admits = |allow: &[&str], deny: &[&str]| {
            let door = Door { allow: patterns(allow), deny: patterns(deny) };
            door.admits(&"n1.node.bank-b.amop".parse().unwrap())
        };
        assert!(admits(&[], &[]));
        assert!(admits(&["agency:bank-b"], &["agency:bank-c"]));
        assert!(!admits(&["agency:bank-a"], &[]));
        assert!(!admits(&["agency:bank-b"], &["n1.node.bank-b.amop"]));
    }
}
