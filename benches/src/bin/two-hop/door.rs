//! Where a node takes clients or other nodes, and who it must show to be.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use crate::certs::Party;

/// One address of one node. On command lines `name@address`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Door {
    pub(crate) node: Party,
    pub(crate) addr: SocketAddr,
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.node.dns(), self.addr)
    }
}

impl FromStr for Door {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, addr) = text.split_once('@').ok_or("a door is name@address")?;
        let node = name.parse()?;
        Ok(Self { node, addr: addr.parse().map_err(|_| "that is no address")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_survives_the_command_line() {
        let door = Door { node: Party::Node2, addr: SocketAddr::from(([127, 0, 0, 1], 7)) };
        assert_eq!(door.to_string(), "n2.node.bank-b.amop@127.0.0.1:7");
        assert_eq!(door.to_string().parse(), Ok(door));
        assert!("nobody@127.0.0.1:7".parse::<Door>().is_err());
        assert!("n2.node.bank-b.amop".parse::<Door>().is_err());
    }
}
