//! From flags and environment to a connected client, and from its errors to exit codes.

use std::path::Path;
use std::time::Duration;

use amop_sdk::{
    AttemptError, Client, ClientBuilder, ConnectError, DialError, EnvError, Environment,
    HandshakeError, Identity, Revocations, Trust,
};

use crate::args::LinkArgs;
use crate::exit::{Exit, Failure, chain};

/// What a client needs to connect.
#[derive(Clone, Debug)]
pub(crate) struct Means {
    pub(crate) endpoints: Vec<String>,
    pub(crate) identity: Identity,
    pub(crate) trust: Trust,
    pub(crate) timeout: Duration,
}

/// Finds it as flags say, or else the environment, or else the defaults.
///
/// # Errors
///
/// 65, 66 or 78 if certificate, key, root or context cannot be read.
pub(crate) fn means(link: &LinkArgs) -> Result<Means, Failure> {
    let environment = Environment::of_process();
    let given = link.endpoints.iter().filter(|endpoint| !endpoint.is_empty());
    let mut endpoints: Vec<String> = given.cloned().collect();
    let trust = link.ca.as_deref().map(trust).transpose()?;
    let identity = match (&link.cert, &link.key) {
        (Some(cert), Some(key)) => Some(identity(cert, key)?),
        _ => None,
    };
    let found = || -> Result<Means, EnvError> {
        if endpoints.is_empty() {
            endpoints = environment.endpoints()?;
        }
        if endpoints.is_empty() {
            endpoints.push(DEFAULT_ENDPOINT.to_owned());
        }
        let identity = identity.map_or_else(|| environment.identity(), Ok)?;
        let trust = trust.map_or_else(|| environment.trust(), Ok)?;
        Ok(Means { endpoints, identity, trust, timeout: link.timeout() })
    };
    found().map_err(|error| bad_environment(&error))
}

/// Connects to the network.
///
/// # Errors
///
/// As [`means`]; and 69, 76 or 77 if no node takes the client in.
pub(crate) async fn connect(link: &LinkArgs) -> Result<Client, Failure> {
    let Means { endpoints, identity, trust, timeout } = means(link)?;
    let builder = Client::builder().timeout(timeout).identity(identity).trust(trust);
    let builder = endpoints.into_iter().fold(builder, ClientBuilder::endpoint);
    builder.connect().await.map_err(|error| not_connected(&error))
}

fn trust(ca: &Path) -> Result<Trust, Failure> {
    let trust = Trust::from_pem(&read(ca)?).map_err(|error| {
        let sentence = format!("{} has no roots to trust", ca.display());
        Failure::new(Exit::DATA, "bad-root", sentence).because(&error)
    })?;
    Ok(match std::env::var_os("AMOP_CRL").filter(|path| !path.is_empty()) {
        None => trust,
        Some(path) => trust.with_revocations(read_lists(Path::new(&path))?),
    })
}

fn identity(cert: &Path, key: &Path) -> Result<Identity, Failure> {
    Identity::from_pem(&read(cert)?, &read(key)?).map_err(|error| {
        let sentence = format!("{} and {} are no identity", cert.display(), key.display());
        Failure::new(Exit::DATA, "bad-identity", sentence).because(&error)
    })
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
            .next("`amop doctor` looks at each layer and says how to mend the one that is broken"),
        ConnectError::BadEndpoint { .. } => failure(Exit::USAGE, "bad-endpoint"),
        ConnectError::Unreachable { failures, .. } if all_speak_otherwise(failures) => {
            failure(Exit::PROTOCOL, "other-protocol")
                .next("give the port for clients (`sdk.listen`), not the one for nodes")
        }
        ConnectError::Unreachable { .. } => failure(Exit::UNAVAILABLE, "unreachable")
            .next("does the node run, and does -e name its `sdk.listen`? `amop doctor` looks at each layer"),
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
