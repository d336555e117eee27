//! Stands in for NATS in a build without it: nothing of it can be reached.

use std::path::Path;

use anyhow::{Result, bail};

use crate::door::Door;
use crate::network::Servers;

pub(crate) fn write_certs(_dir: &Path) -> Result<()> {
    bail!(ABSENT)
}

pub(crate) async fn start_servers(_program: &Path, _dir: &Path, _count: usize) -> Result<Servers> {
    bail!(ABSENT)
}

pub(crate) async fn run_publisher(_dir: &Path, _server: Door, _subscribers: u32) -> Result<()> {
    bail!(ABSENT)
}

pub(crate) async fn run_subscribers(_dir: &Path, _server: Door, _count: u32) -> Result<()> {
    bail!(ABSENT)
}

pub(crate) async fn run_crowd(_dir: &Path, _server: Door) -> Result<()> {
    bail!(ABSENT)
}

/// Why nothing works here.
pub(crate) const ABSENT: &str = "this program was built without the feature `nats`";
