//! `amop acl`: what the rules of a node's configuration say about one client and one topic.
//!
//! It reads what the daemon reads, by the same code, without a node: what is told here is what the node decides
//! once it goes by this file.

use amop_node::{Permissions, Place};
use amop_wire::{Name, Role, Topic};
use clap::{Args as Arguments, Subcommand, ValueEnum};
use serde::Serialize;

use crate::config::{self, File};
use crate::errors::kind;
use crate::exit::{Exit, Failure};
use crate::out::Out;

/// `amop acl`.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Acl {
    /// Say whether a client may do something with a topic, and which rule says so
    #[command(before_help = "Example: amop acl explain pay.sdk.bank-a.amop publish quote")]
    Explain(Explain),
}

/// `amop acl explain`.
#[derive(Clone, Debug, Arguments)]
pub(crate) struct Explain {
    /// The certified name of the client, such as pay.sdk.bank-a.amop
    #[arg(value_name = "ID")]
    who: Name,
    /// What it wants to do
    #[arg(value_name = "ACTION")]
    action: Action,
    /// With which topic
    #[arg(value_name = "TOPIC")]
    topic: Topic,
    #[command(flatten)]
    file: File,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Action {
    Publish,
    Subscribe,
    File,
}

/// Runs one of the commands.
pub(crate) fn run(command: &Acl, out: &mut Out) -> Result<(), Failure> {
    let Acl::Explain(explain) = command;
    let Explain { who, action, topic, file } = explain;
    if who.role() != Role::Sdk {
        let sentence = format!("{} is a node; rules are about clients", who.as_dns());
        let next = format!("amop acl explain NAME.sdk.{}", who.agency_subtree());
        return Err(Failure::new(Exit::USAGE, kind!("not-a-client"), sentence).next(next));
    }
    let config = config::read(file, out)?;
    let rules = &config.node.access.rules;
    let Permissions { publish, subscribe, file } = rules.permissions(who, topic);
    let is_allowed = match action {
        Action::Publish => publish,
        Action::Subscribe => subscribe,
        Action::File => file,
    };
    let decision = if is_allowed { "allow" } else { "refuse" };
    let rule = rules.deciding(who, topic);
    let place = rule.and_then(|rule| config.rules_at.get(rule));
    if out.is_json() {
        return out.json(&DecisionObject {
            kind_of_object: "decision",
            decision,
            rule: rule.map(|rule| rule + 1),
            source: place.map(|place| place.source.as_str()),
            line: place.map(|place| place.line),
        });
    }
    out.line(match (rule, place) {
        (Some(rule), Some(Place { source, line, .. })) => {
            format!("{decision}, rule {} ({source}:{line})", rule + 1)
        }
        _ if rules.is_empty() => format!("{decision}, there are no rules"),
        _ => format!("{decision}, no rule is about it"),
    })
}

/// What was decided, for programs.
#[derive(Serialize)]
struct DecisionObject<'a> {
    #[serde(rename = "type")]
    kind_of_object: &'static str,
    decision: &'static str,
    /// Counted from 1.
    rule: Option<usize>,
    source: Option<&'a str>,
    line: Option<usize>,
}
