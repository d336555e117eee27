//! `amop demo --keep`: the network stays up, for other terminals to play with.

use std::net::SocketAddr;

use serde::Serialize;

use super::certificates::Certificates;
use super::network::Network;
use crate::errors::kind;
use crate::exit::{Exit, Failure};
use crate::files::NewFiles;
use crate::out::Out;
use crate::shell;
use crate::stop::{Asked, Stop};

/// Starts the nodes again that the checks have stopped, prints what to type, and waits for Ctrl-C.
pub(super) async fn stay(
    mut network: Network,
    certificates: &Certificates,
    out: &mut Out,
    stop: &Stop,
) -> Result<(), Failure> {
    let restarted = async {
        network.restart().await?;
        network.linked().await
    };
    tokio::select! {
        restarted = restarted => restarted.map_err(|why| {
            Failure::new(Exit::OTHER, kind!("demo"), format!("the network is not whole again: {why}"))
        })?,
        asked = stop.asked() => return Err(Failure::Stopped(asked)),
    }
    write_contexts(&network, certificates)?;
    tell(&network, &commands(certificates), out)?;
    match stop.asked().await {
        Asked::Interrupt => Ok(()),
        asked => Err(Failure::Stopped(asked)),
    }
}

/// Writes a context for each bank, `bank-a`, `bank-b` and `bank-c`, where `XDG_CONFIG_HOME` can
/// point to.
fn write_contexts(network: &Network, certificates: &Certificates) -> Result<(), Failure> {
    let mut files = NewFiles::default();
    for (agency, label) in CLIENTS {
        let nodes = network.running().filter(|node| node.name().agency() == agency);
        let endpoints: Vec<_> = nodes.map(|node| format!("\"{}\"", node.sdk_addr())).collect();
        let home = format!("../../{agency}/{label}");
        let text = format!(
            "endpoints = [{}]\nca   = \"{home}/ca.crt\"\ncert = \"{home}/sdk.crt\"\n\
             key  = \"{home}/sdk.key\"\n",
            endpoints.join(", ")
        );
        let folder = certificates.dir().join("amop").join("contexts");
        files.public(folder.join(format!("{agency}.toml")), &text);
    }
    files.write()
}

/// What to type in two other terminals, whatever directory they are in.
fn commands(certificates: &Certificates) -> Vec<String> {
    let amop = shell::program("amop");
    let config = shell::quote(certificates.dir());
    let command = |agency: &str, arguments: &str| {
        format!("XDG_CONFIG_HOME={config} AMOP_CONTEXT={agency} {amop} {arguments}")
    };
    vec![
        command("bank-b", "sub hello --reply 'nice to hear from you'"),
        command("bank-a", "request hello 'good morning'"),
        command("bank-a", "pub hello 'to everybody' --multicast"),
    ]
}

fn tell(network: &Network, commands: &[String], out: &mut Out) -> Result<(), Failure> {
    let nodes = network.running();
    let nodes: Vec<_> = nodes
        .map(|node| NodeObject { name: node.name().as_dns(), endpoint: node.sdk_addr() })
        .collect();
    if out.is_json() {
        return out.json(&NetworkObject { kind_of_object: "network", nodes, commands });
    }
    out.line("\nThe network stays up until Ctrl-C. In other terminals:\n")?;
    for command in commands {
        out.line(format!("  {command}"))?;
    }
    out.line("\nContexts: bank-a bank-b bank-c. Endpoints:\n")?;
    for node in network.running() {
        out.line(format!("  {}  {}", node.name(), node.sdk_addr()))?;
    }
    Ok(())
}

/// The network, for programs.
#[derive(Serialize)]
struct NetworkObject<'a> {
    #[serde(rename = "type")]
    kind_of_object: &'static str,
    nodes: Vec<NodeObject<'a>>,
    commands: &'a [String],
}

#[derive(Serialize)]
struct NodeObject<'a> {
    name: &'a str,
    endpoint: SocketAddr,
}

/// Agency and label of the clients that get a context.
const CLIENTS: [(&str, &str); 3] = [("bank-a", "teller"), ("bank-b", "desk"), ("bank-c", "desk")];
