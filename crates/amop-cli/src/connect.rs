//! From flags and environment to a connected client, and from its errors to exit codes.

use std::path::Path;

use amop_sdk::{
    AttemptError, Client, ClientBuilder, ConnectError, DialError, EnvError, HandshakeError,
    Identity, Revocations, Trust,
};

use crate::args::LinkArgs;
use crate::exit::{Exit, Failure, chain};

/// Connects to the network, as flags say, or else the environment, or else the defaults.
///
/// # Errors
///
/// 65, 66 or 78 if certificate, key, root or context cannot be read; 69, 76 or 77 if no node takes
/// the client in.
pub(crate) async fn connect(link: &LinkArgs) -> Result<Client, Failure> {
    let builder = builder(link)?.from_env().map_err(|error| bad_environment(&error))?;
    let connected = match builder.clone().connect().await {
        Err(ConnectError::NoEndpoint) => builder.endpoint(DEFAULT_ENDPOINT).connect().await,
        connected => connected,
    };
    connected.map_err(|error| not_connected(&error))
}

/// What the flags say.
fn builder(link: &LinkArgs) -> Result<ClientBuilder, Failure> {
    let endpoints = link.endpoints.iter().filter(|endpoint| !endpoint.is_empty());
    let mut builder = endpoints
        .fold(Client::builder().timeout(link.timeout()), |builder, endpoint| {
            builder.endpoint(endpoint)
        });
    if let Some(ca) = &link.ca {
        let trust = Trust::from_pem(&read(ca)?).map_err(|error| {
            let sentence = format!("{} has no roots to trust", ca.display());
            Failure::new(Exit::DATA, "bad-root", sentence).because(&error)
        })?;
        builder =
            builder.trust(match std::env::var_os("AMOP_CRL").filter(|path| !path.is_empty()) {
                None => trust,
                Some(path) => trust.with_revocations(read_lists(Path::new(&path))?),
            });
    }
    if let (Some(cert), Some(key)) = (&link.cert, &link.key) {
        let identity = Identity::from_pem(&read(cert)?, &read(key)?).map_err(|error| {
            let sentence = format!("{} and {} are no identity", cert.display(), key.display());
            Failure::new(Exit::DATA, "bad-identity", sentence).because(&error)
        })?;
        builder = builder.identity(identity);
    }
    Ok(builder)
}

/// What the environment says counts for the root of a flag too.
fn read_lists(path: &Path) -> Result<Revocations, Failure> {
    Revocations::from_pem(&read(path)?).map_err(|error| {
        let sentence = format!("{} has no usable revocation lists", path.display());
        Failure::new(Exit::DATA, "bad-list", sentence).because(&error)
    })
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| {
        let sentence = format!("cannot read {}", path.display());
        Failure::new(Exit::NO_INPUT, "no-file", sentence).because(&error)
    })
}

fn bad_environment(error: &EnvError) -> Failure {
    let (exit, kind) = match error {
        EnvError::Unreadable { .. } | EnvError::NoContext { .. } => (Exit::NO_INPUT, "no-file"),
        EnvError::BadIdentity { .. } => (Exit::DATA, "bad-identity"),
        EnvError::BadTrust { .. } => (Exit::DATA, "bad-root"),
        EnvError::BadRevocations { .. } => (Exit::DATA, "bad-list"),
        _ => (Exit::CONFIG, "bad-context"),
    };
    Failure::new(exit, kind, chain(error))
        .next("`amop cert quick --agency bank-a` makes certificates to try things out with")
}

fn not_connected(error: &ConnectError) -> Failure {
    let failure = |exit, kind| Failure::new(exit, kind, chain(error));
    match error {
        _ if error.was_refused() => failure(Exit::NOT_PERMITTED, "refused")
            .next("both sides must trust the other's root; see what the sentence says of it"),
        ConnectError::BadEndpoint { .. } => failure(Exit::USAGE, "bad-endpoint"),
        ConnectError::Unreachable { failures, .. } if all_speak_otherwise(failures) => {
            failure(Exit::PROTOCOL, "other-protocol")
                .next("give the port for clients (`sdk.listen`), not the one for nodes")
        }
        ConnectError::Unreachable { .. } => failure(Exit::UNAVAILABLE, "unreachable")
            .next("does the node run, and does -e name its `sdk.listen`? -v shows each attempt"),
        _ => failure(Exit::IO, "no-client"),
    }
}

fn all_speak_otherwise(failures: &[AttemptError]) -> bool {
    let speaks_otherwise = |failure: &AttemptError| {
        let AttemptError::Dial(DialError::Handshake { source, .. }) = failure else { return false };
        matches!(source, HandshakeError::OtherProtocol { .. })
    };
    !failures.is_empty() && failures.iter().all(speaks_otherwise)
}

/// Where `amop cert quick` has its first node listen.
const DEFAULT_ENDPOINT: &str = "127.0.0.1:20200";
