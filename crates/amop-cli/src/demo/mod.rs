//! `amop demo`: a network of three banks on this machine, which shows what it does and checks it.
//!
//! Everything is real: certificates in files, QUIC with mutual TLS over loopback, the node and the
//! client that institutions run. So the demo can fail, and its exit code says whether it did.
//!
//! Nothing waits for a fixed time: a check waits for what should happen, and fails if that takes
//! too long.

mod certificates;
mod checks;
mod failures;
mod file;
mod glass;
mod keep;
mod network;
mod private;
mod report;
mod routes;
mod scene;

use std::time::Duration;

use amop_sdk::Name;
use amop_wire::Role;

use crate::args::Demo;
use crate::clock;
use crate::exit::Failure;
use crate::out::Out;
use crate::stop::Stop;

use certificates::Certificates;
use network::{Network, Shape};
use report::{Report, Seen, Verdict};
use scene::Scene;

/// Makes the network, checks it, and removes it again, also when a signal asks for the end.
pub(crate) async fn run(args: &Demo, out: &mut Out, stop: &Stop) -> Result<(), Failure> {
    let begun = clock::moment();
    let certificates = Certificates::make(args.dir.as_deref())?;
    let mut report = Report::new(out, CHECKS);
    report.title(&format!(
        "AMOP demo · three banks on this machine · files in {}",
        certificates.dir().display()
    ))?;
    report.add("consortium", &consortium(&certificates), begun.elapsed())?;
    let network = tokio::select! {
        network = check(args, &certificates, &mut report) => network?,
        asked = stop.asked() => return Err(Failure::Stopped(asked)),
    };
    let hint = if args.keep { "" } else { "Play with it:  amop demo --keep" };
    report.close(begun.elapsed(), hint)?;
    match network {
        Some(network) if args.keep => keep::stay(network, &certificates, out, stop).await,
        Some(_) | None => Ok(()),
    }
}

/// Runs the checks after the first, all of them unless there is no network to check.
async fn check(
    args: &Demo,
    certificates: &Certificates,
    report: &mut Report<'_>,
) -> Result<Option<Network>, Failure> {
    let mut made = None;
    let network = async {
        let network = Network::start(certificates, Shape::Mesh).await?;
        network.linked().await?;
        let scene = Scene::connect(certificates, &network).await?;
        let seen = linked(&network, &scene);
        made = Some((network, scene));
        Ok(seen)
    };
    report.check("network", network).await?;
    let Some((mut network, scene)) = made else { return Ok(None) };

    report.check("unicast", checks::unicast(&scene)).await?;
    report.check("multicast", checks::multicast(&scene)).await?;
    report.check("same node", checks::same_node(&scene)).await?;
    report.check("nobody", checks::nobody(&scene)).await?;
    report.check("private", private::private(&scene, certificates, &network)).await?;
    report.check("file", file::file(&scene)).await?;
    report.check("file again", file::resumed(&scene)).await?;
    report.check("too slow", checks::too_slow(&scene, deadline(args))).await?;
    let failover = failures::failover(&scene, certificates, &mut network);
    report.check("failover", failover).await?;
    report.check("relays", routes::relays(certificates)).await?;
    report.check("detour", routes::detour(certificates)).await?;
    report.check("stranger", failures::stranger(certificates, &network)).await?;
    Ok(Some(network))
}

/// Reads back everything that was made.
fn consortium(certificates: &Certificates) -> Verdict {
    for name in certificates.parties() {
        let (identity, _) = certificates.load(name)?;
        if identity.name() != name {
            return Err(format!("the certificate of {name} is that of {}", identity.name()));
        }
    }
    let count = |role| certificates.parties().iter().filter(|name| name.role() == role).count();
    let (nodes, clients) = (count(Role::Node), count(Role::Sdk));
    let line = format!(
        "root ▸ authorities of bank-a bank-b bank-c ▸ {nodes} node, {clients} client certificates"
    );
    Ok(Seen::new(line).number("nodes", nodes).number("clients", clients))
}

fn linked(network: &Network, scene: &Scene) -> Seen {
    let nodes: Vec<&Name> = network.running().map(amop_node::Node::name).collect();
    let links = nodes.len() * (nodes.len() - 1) / 2;
    let names = nodes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" · ");
    let clients = scene.clients().len();
    let peers = nodes.len() - 1;
    Seen::new(names)
        .and(format!(
            "{links} links, each node lists its {peers} peers; {clients} clients attached"
        ))
        .number("links", links)
        .number("clients", clients)
}

/// What the slow handler may take.
fn deadline(args: &Demo) -> Duration {
    if args.fast { Duration::from_millis(200) } else { Duration::from_secs(1) }
}

/// How many checks there are.
const CHECKS: usize = 14;
