//! `amop doctor`: why a client does not get to its node, layer by layer.
//!
//! ```text
//! name ─▶ udp ─▶ tls ─▶ ours ─▶ theirs ─▶ attach ─▶ clock ─▶ buffers
//! ```
//!
//! It stops at the first layer that is broken, for what lies above it cannot be judged. In TLS 1.3 a client believes
//! that it is connected before the node has judged its certificate; what the node says then belongs to `ours`.

mod layer;
mod link;
mod machine;
mod udp;

use std::time::Duration;

use amop_sdk::Client;
use clap::Args as Arguments;
use tokio::net::lookup_host;
use tokio::time::timeout;

use crate::args::LinkArgs;
use crate::clock;
use crate::connect::{Means, means};
use crate::exit::{Exit, Failure, chain};
use crate::out::Out;
use crate::text::span;

use layer::{Broken, Chart, Layer};

/// `amop doctor`.
#[derive(Clone, Debug, Arguments)]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(crate) link: LinkArgs,
}

/// Looks at each endpoint, and fails if any of them is out of reach.
pub(crate) async fn run(link: &LinkArgs, out: &mut Out) -> Result<(), Failure> {
    let means = means(link)?;
    let mut worst = Ok(());
    for endpoint in &means.endpoints {
        let mut chart = Chart::of(endpoint, out);
        if let Err(broken) = examine(endpoint, &means, &mut chart).await? {
            // All are told; the exit code is that of the first.
            let exit = chart.broken(&broken)?;
            worst = worst.and(Err(Failure::Told(exit)));
        }
    }
    worst
}

/// Goes from layer to layer. The outer error is one of writing.
async fn examine(
    endpoint: &str,
    means: &Means,
    chart: &mut Chart<'_>,
) -> Result<Result<(), Broken>, Failure> {
    let patience = means.timeout;
    let addrs = match timeout(patience, lookup_host(endpoint)).await {
        Ok(Ok(addrs)) => addrs.take(ADDRESSES_MAX).collect::<Vec<_>>(),
        Ok(Err(error)) => return Ok(Err(no_name(endpoint, &chain(&error)))),
        Err(_) => return Ok(Err(no_name(endpoint, "no answer in time"))),
    };
    if addrs.is_empty() {
        return Ok(Err(no_name(endpoint, "it has no address")));
    }
    let shown: Vec<String> = addrs.iter().map(|addr| addr.ip().to_string()).collect();
    chart.good(Layer::Name, &shown.join(", "))?;

    let reached = match udp::reach(&addrs, patience).await {
        Ok(reached) => reached,
        Err(broken) => return Ok(Err(broken)),
    };
    let text = format!("QUIC answers at {} in {}", reached.addr, span(reached.round_trip));
    chart.good(Layer::Udp, &text)?;

    let peer = match link::dial(reached.addr, means).await {
        Ok(peer) => peer,
        Err(broken) => {
            if matches!(broken.layer, Layer::Ours | Layer::Theirs | Layer::Clock | Layer::Attach) {
                chart.good(Layer::Tls, "1.3 begins")?;
            }
            return Ok(Err(broken));
        }
    };
    chart.good(Layer::Tls, "1.3, both sides have proved their keys")?;
    chart.good(Layer::Ours, &link::ours(means, clock::wall()))?;
    let theirs = format!("{}, sha256:{}", peer.name.as_dns(), peer.fingerprint);
    chart.good(Layer::Theirs, &theirs)?;

    let begun = clock::moment();
    if let Err(broken) = attach(endpoint, means).await {
        return Ok(Err(broken));
    }
    chart.good(Layer::Attach, &format!("taken in within {}", span(begun.elapsed())))?;

    match machine::clock(means, clock::wall()) {
        Ok(text) => chart.good(Layer::Clock, &text)?,
        Err(broken) => return Ok(Err(broken)),
    }
    match machine::buffers() {
        Ok(text) => chart.good(Layer::Buffers, &text)?,
        Err((text, next)) => chart.warning(Layer::Buffers, &text, &next)?,
    }
    Ok(Ok(()))
}

/// Has the node take a client in, and leaves again.
async fn attach(endpoint: &str, means: &Means) -> Result<(), Broken> {
    let builder = Client::builder().endpoint(endpoint).timeout(means.timeout);
    let builder = builder.identity(means.identity.clone()).trust(means.trust.clone());
    match builder.connect().await {
        Ok(client) => {
            client.close().await;
            Ok(())
        }
        Err(error) => Err(Broken {
            layer: Layer::Attach,
            exit: if error.was_refused() { Exit::NOT_PERMITTED } else { Exit::UNAVAILABLE },
            text: format!("the node does not take us in: {}", chain(&error)),
            next: "ask its operator: `amop status` says whether it drains, its log and \
                   `sdk.allow`, `sdk.deny` whether we may"
                .to_owned(),
        }),
    }
}

fn no_name(endpoint: &str, why: &str) -> Broken {
    Broken {
        layer: Layer::Name,
        exit: Exit::UNAVAILABLE,
        text: format!("{endpoint} has no address: {why}"),
        next: "is it spelt right, as HOST:PORT? `getent hosts HOST` asks the same; else give the \
               address itself"
            .to_owned(),
    }
}

/// As many addresses of a name are tried as the SDK tries.
const ADDRESSES_MAX: usize = 4;

/// The shortest time for one question.
const QUESTION_MIN: Duration = Duration::from_millis(200);
