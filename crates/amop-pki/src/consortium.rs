//! A whole consortium in one call: what a demo, a benchmark or a test starts from.
//!
//! One process holds every private key here. Between real institutions each agency keeps its own:
//! there, [`Root`] and [`Agency`] live on different machines.

use std::collections::BTreeMap;
use std::time::SystemTime;

use amop_wire::{Name, Role};

use crate::agency::Agency;
use crate::authority::IssueError;
use crate::leaf::Leaf;
use crate::root::Root;

/// A root, its agencies, and the certificates of their nodes and clients.
#[derive(Debug)]
pub struct Consortium {
    root: Root,
    agencies: BTreeMap<String, Agency>,
    leaves: BTreeMap<Name, Leaf>,
}

/// Which certificates one agency of a [`Consortium`] gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AgencyPlan<'a> {
    /// The institution: `bank-a`.
    pub agency: &'a str,
    /// The labels of its nodes: `n1`.
    pub nodes: &'a [&'a str],
    /// The labels of its clients: `payments`.
    pub clients: &'a [&'a str],
}

impl Consortium {
    /// Makes everything that `plan` names, all of it at `now`, with fresh keys.
    ///
    /// # Errors
    ///
    /// [`IssueError::PlannedTwice`] if an agency, or a node or a client within it, is named twice;
    /// [`IssueError::BadName`] if a domain, an agency or a label does not consist of DNS labels;
    /// otherwise those of [`Root::new`].
    pub fn new(
        title: &str,
        domain: &str,
        plan: &[AgencyPlan<'_>],
        now: SystemTime,
    ) -> Result<Self, IssueError> {
        let root = Root::new(title, domain, now)?;
        let mut consortium = Self { root, agencies: BTreeMap::new(), leaves: BTreeMap::new() };
        for agency_plan in plan {
            consortium.add(agency_plan, now)?;
        }
        Ok(consortium)
    }

    /// The root that every member trusts.
    #[must_use]
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// An agency of the plan.
    #[must_use]
    pub fn agency(&self, agency: &str) -> Option<&Agency> {
        self.agencies.get(agency)
    }

    /// The certificate of a node of the plan: `("bank-a", "n1")`.
    #[must_use]
    pub fn node(&self, agency: &str, label: &str) -> Option<&Leaf> {
        self.leaf(label, Role::Node, agency)
    }

    /// The certificate of a client of the plan: `("bank-a", "payments")`.
    #[must_use]
    pub fn client(&self, agency: &str, label: &str) -> Option<&Leaf> {
        self.leaf(label, Role::Sdk, agency)
    }

    /// All agencies, ordered by name.
    pub fn agencies(&self) -> impl Iterator<Item = &Agency> {
        self.agencies.values()
    }

    /// All nodes and clients with their certificates, ordered by DNS name.
    pub fn leaves(&self) -> impl Iterator<Item = (&Name, &Leaf)> {
        self.leaves.iter()
    }

    fn add(&mut self, plan: &AgencyPlan<'_>, now: SystemTime) -> Result<(), IssueError> {
        let agency = self.root.agency(plan.agency, now)?;
        let nodes = plan.nodes.iter().map(|label| (label, Role::Node));
        let clients = plan.clients.iter().map(|label| (label, Role::Sdk));
        for (label, role) in nodes.chain(clients) {
            let name = Name::new(label, role, plan.agency, self.root.domain())
                .map_err(IssueError::BadName)?;
            let leaf = agency.issue(&name, now)?;
            if self.leaves.insert(name.clone(), leaf).is_some() {
                return Err(IssueError::PlannedTwice { name: name.as_dns().to_owned() });
            }
        }
        match self.agencies.insert(plan.agency.to_owned(), agency) {
            None => Ok(()),
            Some(_) => Err(IssueError::PlannedTwice { name: plan.agency.to_owned() }),
        }
    }

    fn leaf(&self, label: &str, role: Role, agency: &str) -> Option<&Leaf> {
        let name = Name::new(label, role, agency, self.root.domain()).ok()?;
        self.leaves.get(&name)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn consortium(plan: &[AgencyPlan<'_>]) -> Result<Consortium, IssueError> {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        Consortium::new("Title", "amop", plan, now)
    }

    #[test]
    fn a_consortium_has_what_was_planned_and_nothing_else() {
        let consortium = consortium(&[
            AgencyPlan { agency: "bank-b", nodes: &["n1"], clients: &[] },
            AgencyPlan { agency: "bank-a", nodes: &["n1", "n2"], clients: &["n1", "app"] },
        ])
        .unwrap();

        let agencies: Vec<_> = consortium.agencies().map(Agency::agency).collect();
        assert_eq!(agencies, ["bank-a", "bank-b"]);
        let names: Vec<_> = consortium.leaves().map(|(name, _)| name.as_dns()).collect();
        let planned = [
            "app.sdk.bank-a.amop",
            "n1.node.bank-a.amop",
            "n1.node.bank-b.amop",
            "n1.sdk.bank-a.amop",
            "n2.node.bank-a.amop",
        ];
        assert_eq!(names, planned);
    }

    #[test]
    fn a_leaf_is_found_by_its_role_and_under_its_own_agency() {
        let consortium = consortium(&[
            AgencyPlan { agency: "bank-a", nodes: &["n1"], clients: &["app"] },
            AgencyPlan { agency: "bank-b", nodes: &["n1"], clients: &["app"] },
        ])
        .unwrap();

        let node = consortium.node("bank-b", "n1").expect("planned");
        let agency = consortium.agency("bank-b").expect("planned");
        assert_eq!(node.chain_der()[1], agency.certificate_der());
        assert!(consortium.client("bank-b", "app").is_some());
        assert!(consortium.client("bank-b", "n1").is_none(), "n1 is a node");
        assert!(consortium.node("bank-b", "app").is_none(), "app is a client");
        assert!(consortium.node("bank-c", "n1").is_none());
        assert!(consortium.node("bank-b", "no label").is_none());
        assert!(consortium.agency("bank-c").is_none());
    }

    #[test]
    fn nothing_is_planned_twice() {
        let plan = |agency, nodes| AgencyPlan { agency, nodes, clients: &[] };
        let error = consortium(&[plan("bank-a", &["n1"]), plan("bank-a", &["n2"])]).unwrap_err();
        assert_eq!(error, IssueError::PlannedTwice { name: "bank-a".into() });
        let error = consortium(&[plan("bank-a", &["n1", "n1"])]).unwrap_err();
        assert_eq!(error, IssueError::PlannedTwice { name: "n1.node.bank-a.amop".into() });
    }

    #[test]
    fn a_label_that_is_no_dns_label_is_refused() {
        let plan = AgencyPlan { agency: "bank-a", nodes: &["N 1"], clients: &[] };
        let error = consortium(&[plan]).unwrap_err();
        assert!(matches!(error, IssueError::BadName(_)), "{error}");
    }
}
