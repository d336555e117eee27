//! Whether both sides take each other's certificate.

use std::net::SocketAddr;
use std::time::SystemTime;

use amop_p2p::{Endpoint, EndpointError, HandshakeError, LinkKind, Party, Settings};

use crate::cert::{date, left};
use crate::clock::Timestamp;
use crate::connect::Means;
use crate::exit::{Exit, chain};

use super::layer::{Broken, Layer};

/// Makes a link, and says who is at its other end.
pub(super) async fn dial(addr: SocketAddr, means: &Means) -> Result<Party, Broken> {
    let settings = Settings { handshake_timeout: means.timeout, ..Settings::default() };
    let (identity, trust) = (&means.identity, &means.trust);
    let endpoint = Endpoint::dial_only(LinkKind::Sdk, identity, trust, settings)
        .map_err(|error| not_set_up(&error))?;
    let dialed = endpoint.dial(addr, None).await.map(|link| link.peer().clone());
    endpoint.shutdown().await;
    dialed.map_err(|error| not_linked(addr, &error, means))
}

/// What there is to say of our own certificate.
pub(super) fn ours(means: &Means, now: SystemTime) -> String {
    let (name, ends) = (means.identity.name().as_dns(), means.identity.valid_until());
    format!("{name}, {}, and the node has taken it", left(ends, now))
}

fn not_set_up(error: &EndpointError) -> Broken {
    let (exit, next) = match error {
        EndpointError::WrongRole { .. } => (
            Exit::NOT_PERMITTED,
            "give the certificate of a client, such as payments.sdk.bank-a.amop: --cert, --key",
        ),
        _ => (Exit::IO, "what the system says of its sockets stands there"),
    };
    Broken { layer: Layer::Ours, exit, text: chain(error), next: next.to_owned() }
}

fn not_linked(addr: SocketAddr, error: &HandshakeError, means: &Means) -> Broken {
    let broken = |layer, exit, text: String, next: &str| {
        let next = next.to_owned();
        Broken { layer, exit, text, next }
    };
    match error {
        HandshakeError::RefusedByPeer { sentence } => {
            let (layer, next) = mend(Layer::Ours, sentence, means);
            let text = format!("the node has refused our certificate: {sentence}");
            broken(layer, Exit::NOT_PERMITTED, text, &next)
        }
        HandshakeError::PeerRefused { sentence } => {
            let (layer, next) = mend(Layer::Theirs, sentence, means);
            let text = format!("we have refused the node's certificate: {sentence}");
            broken(layer, Exit::NOT_PERMITTED, text, &next)
        }
        HandshakeError::PeerUncertified => broken(
            Layer::Theirs,
            Exit::NOT_PERMITTED,
            format!("who answers at {addr} shows no certificate"),
            "it is no node of AMOP: look at the address again",
        ),
        HandshakeError::OtherProtocol { ours } => broken(
            Layer::Tls,
            Exit::PROTOCOL,
            format!("who answers at {addr} speaks QUIC, but not {ours}"),
            "give the port for clients (`sdk.listen`), not the one for other nodes (`p2p.listen`)",
        ),
        HandshakeError::NoAnswer { .. } => broken(
            Layer::Tls,
            Exit::UNAVAILABLE,
            error.to_string(),
            "packets came through before: is something on the way dropping long ones, or many? \
             --timeout waits longer",
        ),
        HandshakeError::Overloaded => broken(
            Layer::Attach,
            Exit::UNAVAILABLE,
            error.to_string(),
            "try again in a while; its operator sees why in the log of the node",
        ),
        HandshakeError::Closed(reason) => broken(
            Layer::Attach,
            Exit::NOT_PERMITTED,
            format!("the node takes our certificate and does not let us in: {reason}"),
            "ask its operator about `sdk.allow` and `sdk.deny`",
        ),
        other => broken(
            Layer::Tls,
            Exit::PROTOCOL,
            other.to_string(),
            "the two sides have no cipher or key exchange in common (`tls.cipher_suites`, \
             `tls.key_exchange` of the node), or this is no node",
        ),
    }
}

/// How to mend what a sentence about a certificate says. One that counts at another time may be good, and the clock
/// wrong.
fn mend(layer: Layer, sentence: &str, means: &Means) -> (Layer, String) {
    let about = |part: &str| sentence.contains(part);
    let ends = date(means.identity.valid_until());
    let is_ours = layer == Layer::Ours;
    if about("not valid before") || about("not yet valid") {
        let here = Timestamp::of(crate::clock::wall());
        return (Layer::Clock, format!("compare the clocks of both machines: here it is {here}"));
    }
    let next = if about("expired on") && is_ours {
        format!(
            "`amop cert renew` (ours ends on {ends}); if it should count still, compare the clocks"
        )
    } else if about("expired on") {
        "its operator must renew it; if it should count still, compare the clocks".to_owned()
    } else if about("revoked on") && is_ours {
        "make a new key, and have our agency sign a new certificate: `amop cert request`".to_owned()
    } else if about("revoked on") {
        "do not use this node; ask the agency that runs it".to_owned()
    } else if about("not issued by a trusted root") && is_ours {
        "the node's `tls.ca` lacks our root, or our file has not our agency's certificate behind ours".to_owned()
    } else if about("not issued by a trusted root") {
        "our root is another one than that of the node: --ca, or AMOP_CA".to_owned()
    } else {
        "docs/OPERATIONS.md says what each sentence means (When a link is refused)".to_owned()
    };
    (layer, next)
}
