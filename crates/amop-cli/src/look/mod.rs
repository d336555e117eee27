//! Looks at a running node, and tells it what to do, by its admin interface.
//!
//! The node's own user may open its socket, so these commands need no certificate. Where the socket is, the node's
//! configuration says.

pub(crate) mod admin;
pub(crate) mod args;
mod reach;
pub(crate) mod show;
mod topology;
mod trace;

use std::time::Duration;

use amop_node::view::{
    ClientView, NodeView, Overview, PeerView, ReachView, SubscriberView, TopicView, TraceView,
};
use amop_wire::{Code, Reason};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use crate::clock;
use crate::errors::kind;
use crate::exit::{Exit, Failure};
use crate::out::Out;
use crate::stop::Stop;
use crate::text::printable;

use admin::Admin;
use args::{Look, NodeOrder, Topology, Trace};

/// Runs one of the commands that look.
pub(crate) async fn look(command: &Look, out: &mut Out, stop: &Stop) -> Result<(), Failure> {
    match command {
        Look::Status(args) => {
            let overview: Overview = Admin::find(&args.admin)?.get("/v1/status").await?;
            match out.is_json() {
                true => typed(out, "status", &overview),
                false => out.line(show::status(&overview, clock::wall())),
            }
        }
        Look::Peers(args) => {
            let peers: Vec<PeerView> = Admin::find(&args.admin)?.get("/v1/peers").await?;
            list(out, "peer", &peers, "no peers", |peers| show::peers(peers, clock::wall()))
        }
        Look::Clients(args) => {
            let clients: Vec<ClientView> = Admin::find(&args.admin)?.get("/v1/clients").await?;
            list(out, "client", &clients, "no clients", show::clients)
        }
        Look::Topics(args) => {
            let beginning = admin::escape(&args.beginning);
            let path = format!("/v1/topics?beginning={beginning}&limit={}", args.limit);
            let Found { total, topics } = Admin::find(&args.admin.admin)?.get(&path).await?;
            list(out, "topic", &topics, "no topics", show::topics)?;
            if topics.len() < total {
                out.note(format!("{} of {total}; --limit shows more", topics.len()));
            }
            Ok(())
        }
        Look::Who(args) => {
            let path = format!("/v1/who?topic={}", admin::escape(&args.topic));
            let found: Vec<SubscriberView> = Admin::find(&args.admin.admin)?.get(&path).await?;
            list(out, "subscriber", &found, "nobody would get it", show::subscribers)
        }
        Look::Topology(args) => topology(args, out, stop).await,
        Look::Trace(args) => trace(args, out).await,
    }
}

/// Some topics, and how many there are.
#[derive(Debug, Deserialize)]
struct Found {
    total: usize,
    topics: Vec<TopicView>,
}

/// Tells the node what to do.
pub(crate) async fn order(command: &NodeOrder, out: &mut Out) -> Result<(), Failure> {
    let (args, path) = match command {
        NodeOrder::Reload(args) => (args, "/v1/reload".to_owned()),
        NodeOrder::Drain(args) => (args, "/v1/drain".to_owned()),
        NodeOrder::Kick(args) => {
            (&args.admin, format!("/v1/kick?whom={}", admin::escape(&args.whom)))
        }
        NodeOrder::LogLevel(args) => {
            (&args.admin, format!("/v1/log-level?filter={}", admin::escape(&args.filter)))
        }
    };
    let done: Done = Admin::find(&args.admin)?.post(&path).await?;
    if out.is_json() {
        return typed(out, "done", &done);
    }
    match command {
        NodeOrder::Reload(_) if !done.needs_restart.is_empty() => {
            out.line("reloaded")?;
            out.note(format!("after a restart only: {}", done.needs_restart.join(", ")));
            Ok(())
        }
        NodeOrder::Reload(_) => out.line("reloaded"),
        NodeOrder::Drain(_) => {
            out.line("draining; the daemon stops once nobody needs it, within 35 s")
        }
        NodeOrder::Kick(_) => out.line(format!("closed {} links; they may come back", done.links)),
        NodeOrder::LogLevel(_) => out.line("logging by this filter until the next start"),
    }
}

/// What an order came to; most have nothing to say.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Done {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    needs_restart: Vec<String>,
    #[serde(skip_serializing_if = "is_zero")]
    links: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

async fn trace(args: &Trace, out: &mut Out) -> Result<(), Failure> {
    if let Some(topic) = &args.probe {
        return probe(args, topic, out).await;
    }
    let path = format!("/v1/trace?id={}", admin::escape(args.id.as_deref().unwrap_or_default()));
    let trace: TraceView = Admin::find(&args.admin.admin)?.get(&path).await?;
    if trace.nodes.iter().all(|node| node.steps.is_empty()) {
        let sentence = format!("{} has nothing left of {}", trace.node, trace.id);
        return Err(Failure::new(Exit::DATA, kind!("unknown-message"), sentence).next(
            "ask the node where it was published; under load steps are kept for seconds only",
        ));
    }
    match out.is_json() {
        true => typed(out, "trace", &trace),
        false => out.line(trace::draw(&trace, clock::wall())),
    }
}

async fn probe(args: &Trace, topic: &str, out: &mut Out) -> Result<(), Failure> {
    let client = args.client.iter().map(|name| format!("&client={}", admin::escape(name)));
    let path = format!("/v1/reach?topic={}{}", admin::escape(topic), client.collect::<String>());
    let reach: ReachView = Admin::find(&args.admin.admin)?.get(&path).await?;
    if reach.count == 0 && reach.hops.is_empty() {
        let sentence = format!("nobody would get a message on `{}`", printable(topic.as_bytes()));
        return Err(Failure::of_code(Code::NoSubscriber, Reason::NoSubscriber.into(), sentence)
            .node(reach.node)
            .next("`amop topics` shows what is subscribed to, `amop topology` which nodes are in reach"));
    }
    match out.is_json() {
        true => typed(out, "reach", &reach),
        false => out.line(reach::draw(&reach)),
    }
}

async fn topology(args: &Topology, out: &mut Out, stop: &Stop) -> Result<(), Failure> {
    let admin = Admin::find(&args.admin.admin)?;
    let mut before = Vec::new();
    loop {
        let nodes: Vec<NodeView> = admin.get("/v1/topology").await?;
        if nodes != before {
            match (out.is_json(), args.dot, args.mermaid) {
                (true, ..) => nodes.iter().try_for_each(|node| typed(out, "node", node))?,
                (_, true, _) => out.line(topology::dot(&nodes))?,
                (_, _, true) => out.line(topology::mermaid(&nodes))?,
                _ => out.line(topology::table(&nodes))?,
            }
        }
        if !args.watch {
            return Ok(());
        }
        before = nodes;
        tokio::select! {
            _ = stop.asked() => return Ok(()),
            () = sleep(WATCH_PERIOD) => {}
        }
    }
}

/// One object with its type first.
fn typed(out: &mut Out, kind: &'static str, of: &impl Serialize) -> Result<(), Failure> {
    out.json(&Typed { kind, of })
}

#[derive(Serialize)]
struct Typed<'a, T> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(flatten)]
    of: &'a T,
}

/// One object for each, or one table for people.
fn list<T: Serialize>(
    out: &mut Out,
    kind: &'static str,
    all: &[T],
    none: &str,
    table: impl FnOnce(&[T]) -> String,
) -> Result<(), Failure> {
    if out.is_json() {
        return all.iter().try_for_each(|one| typed(out, kind, one));
    }
    if all.is_empty() {
        out.note(none);
        return Ok(());
    }
    out.line(table(all))
}

/// How often it is worth a look whether the network has changed.
const WATCH_PERIOD: Duration = Duration::from_secs(1);
