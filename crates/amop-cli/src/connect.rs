//! From flags and environment to a connected client, and from its errors to exit codes.

use std::path::Path;
use std::time::Duration;

use amop_sdk::{
    AttemptError, Client, ClientBuilder, ConnectError, DialError, EnvError, Environment,
    HandshakeError, Identity, IdentityError, Password, PasswordError, Revocations, Trust,
};
use zeroize::Zeroizing;

use crate::args::LinkArgs;
use crate::errors::kind;
use crate::exit::{Exit, Failure, chain};
use crate::password;

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
    let bad = |error: EnvError| bad_environment(&error);
    let given = link.endpoints.iter().filter(|endpoint| !endpoint.is_empty());
    let mut endpoints: Vec<String> = given.cloned().collect();
    if endpoints.is_empty() {
        endpoints = environment.endpoints().map_err(bad)?;
    }
    if endpoints.is_empty() {
        endpoints.push(DEFAULT_ENDPOINT.to_owned());
    }
    let identity = match (&link.cert, &link.key) {
        (Some(cert), Some(key)) => identity(link, cert, key)?,
        _ => match environment.identity() {
            Err(EnvError::BadIdentity { cert, key, source: IdentityError::KeyIsEncrypted }) => {
                identity(link, &cert, &key)?
            }
            found => found.map_err(bad)?,
        },
    };
    let trust = match &link.ca {
        Some(ca) => trust(ca)?,
        None => environment.trust().map_err(bad)?,
    };
    Ok(Means { endpoints, identity, trust, timeout: link.timeout() })
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
        Failure::new(Exit::DATA, kind!("bad-root"), sentence).because(&error)
    })?;
    Ok(match std::env::var_os("AMOP_CRL").filter(|path| !path.is_empty()) {
        None => trust,
        Some(path) => trust.with_revocations(read_lists(Path::new(&path))?),
    })
}

/// Reads certificate and key. The password of one that is encrypted stands in a file, or is asked for.
fn identity(link: &LinkArgs, cert: &Path, key: &Path) -> Result<Identity, Failure> {
    let (chain_pem, key_pem) = (read(cert)?, Zeroizing::new(read(key)?));
    let mut read = Identity::from_pem(&chain_pem, &key_pem);
    if matches!(read, Err(IdentityError::KeyIsEncrypted)) {
        let variable = std::env::var_os("AMOP_KEY_PASSWORD_FILE").filter(|path| !path.is_empty());
        let file = link.key_password_file.as_deref().or(variable.as_ref().map(Path::new));
        let password = password::existing(file, key).map_err(|failure| match file {
            Some(_) => failure,
            None => failure.next("give it with --key-password-file, or AMOP_KEY_PASSWORD_FILE"),
        })?;
        let password = Password::new(password.as_bytes());
        read = Identity::from_pem_with(&chain_pem, &key_pem, Some(&password));
    }
    read.map_err(|error| {
        let sentence = format!("{} and {} are no identity", cert.display(), key.display());
        let (exit, kind) = match error {
            IdentityError::WrongPassword => (Exit::NOT_PERMITTED, kind!("wrong-password")),
            _ => (Exit::DATA, kind!("bad-identity")),
        };
        Failure::new(exit, kind, sentence).because(&error)
    })
}

/// What the environment says counts for the root of a flag too.
fn read_lists(path: &Path) -> Result<Revocations, Failure> {
    Revocations::from_pem(&read(path)?).map_err(|error| {
        let sentence = format!("{} has no usable revocation lists", path.display());
        Failure::new(Exit::DATA, kind!("bad-list"), sentence).because(&error)
    })
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| {
        let sentence = format!("cannot read {}", path.display());
        Failure::new(Exit::NO_INPUT, kind!("no-file"), sentence).because(&error)
    })
}

fn bad_environment(error: &EnvError) -> Failure {
    let (exit, kind) = match error {
        EnvError::Unreadable { .. } | EnvError::NoContext { .. } => {
            (Exit::NO_INPUT, kind!("no-file"))
        }
        EnvError::BadIdentity { source: IdentityError::WrongPassword, .. } => {
            (Exit::NOT_PERMITTED, kind!("wrong-password"))
        }
        EnvError::BadIdentity { .. } => (Exit::DATA, kind!("bad-identity")),
        EnvError::BadPassword(PasswordError::Unreadable { .. }) => {
            (Exit::NO_INPUT, kind!("unreadable"))
        }
        EnvError::BadPassword(PasswordError::OthersCanRead { .. }) => {
            (Exit::NOT_PERMITTED, kind!("open-password"))
        }
        EnvError::BadPassword(_) => (Exit::DATA, kind!("bad-password")),
        EnvError::BadTrust { .. } => (Exit::DATA, kind!("bad-root")),
        EnvError::BadRevocations { .. } => (Exit::DATA, kind!("bad-list")),
        _ => (Exit::CONFIG, kind!("bad-context")),
    };
    Failure::new(exit, kind, chain(error))
        .next("`amop cert quick --agency bank-a` makes certificates to try things out with")
}

fn not_connected(error: &ConnectError) -> Failure {
    let failure = |exit, kind| Failure::new(exit, kind, chain(error));
    match error {
        _ if error.was_refused() => failure(Exit::NOT_PERMITTED, kind!("refused"))
            .next("`amop doctor` looks at each layer and says how to mend the one that is broken"),
        ConnectError::BadEndpoint { .. } => failure(Exit::USAGE, kind!("bad-endpoint")),
        ConnectError::Unreachable { failures, .. } if all_speak_otherwise(failures) => {
            failure(Exit::PROTOCOL, kind!("other-protocol"))
                .next("give the port for clients (`sdk.listen`), not the one for nodes")
        }
        ConnectError::Unreachable { .. } => failure(Exit::UNAVAILABLE, kind!("unreachable"))
            .next("does the node run, and does -e name its `sdk.listen`? `amop doctor` looks at each layer"),
        _ => failure(Exit::IO, kind!("no-client")),
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
