//! Asks the admin interface of a node: one request over HTTP/1.0 on a connection of its own.
//!
//! That is so little of HTTP that it needs no library: the answer ends with the connection.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use amop_node::Config;
use amop_wire::{Code, Reason};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use crate::errors::kind;
use crate::exit::{Exit, Failure};

/// Where a node can be asked.
#[derive(Clone, Debug)]
pub(crate) enum Admin {
    Socket(PathBuf),
    Port(String),
}

impl Admin {
    /// What was given, or what the configuration of the node says.
    pub(crate) fn find(given: &Option<String>) -> Result<Self, Failure> {
        if let Some(given) = given {
            let given = given.strip_prefix("http://").unwrap_or(given).trim_end_matches('/');
            let is_port = !given.contains('/')
                && given.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
            return Ok(match is_port {
                true => Self::Port(given.into()),
                false => Self::Socket(given.strip_prefix("unix:").unwrap_or(given).into()),
            });
        }
        let named = std::env::var_os("AMOP_CONFIG").map(PathBuf::from);
        let usual = || CONFIGS.iter().map(PathBuf::from).find(|path| path.is_file());
        let Some(file) = named.or_else(usual) else {
            let sentence =
                format!("no configuration of a node here: neither {}", CONFIGS.join(" nor "));
            return Err(Failure::new(Exit::NO_INPUT, kind!("no-configuration"), sentence)
                .next("give --admin SOCKET, or run it beside the node's amop.toml"));
        };
        let config = Config::from_file(&file).map_err(|errors| {
            let sentence = format!("{} does not say where the node is", file.display());
            Failure::new(Exit::CONFIG, kind!("configuration"), sentence)
                .line("why", errors.in_one_line())
                .next("mend it (`amop config check`), or give --admin SOCKET")
        })?;
        Ok(Self::Socket(config.admin_socket))
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.ask("GET", path).await
    }

    pub(crate) async fn post<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.ask("POST", path).await
    }

    async fn ask<T: DeserializeOwned>(&self, method: &str, path: &str) -> Result<T, Failure> {
        let request = format!("{method} {path} HTTP/1.0\r\nHost: localhost\r\n\r\n");
        let exchanged = timeout(PATIENCE, self.exchange(&request)).await;
        let exchanged =
            exchanged.unwrap_or_else(|_| Err(io::Error::other("no answer came within 10 s")));
        let answer = exchanged.map_err(|error| self.unreachable(&error))?;
        let foreign = || {
            let sentence = format!("{} is not the admin interface of a node", self.shown());
            Failure::new(Exit::PROTOCOL, kind!("no-admin-interface"), sentence)
        };
        let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(foreign)?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse::<u16>().ok());
        match status.ok_or_else(foreign)? {
            // Some orders have nothing to say.
            200..=299 => {
                let body = if body.is_empty() { "{}" } else { body };
                serde_json::from_str(body).map_err(|_| foreign())
            }
            404 if !body.contains("unknown-party") => {
                let sentence = format!("{} takes no such request", self.shown());
                Err(Failure::new(Exit::NOT_PERMITTED, kind!("not-an-order"), sentence)
                    .next("orders go to the node's socket, not to its port: --admin SOCKET"))
            }
            _ => Err(refused(serde_json::from_str(body).map_err(|_| foreign())?)),
        }
    }

    async fn exchange(&self, request: &str) -> io::Result<String> {
        match self {
            Self::Socket(path) => exchange_on(UnixStream::connect(path).await?, request).await,
            Self::Port(addr) => exchange_on(TcpStream::connect(addr).await?, request).await,
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::Socket(path) => path.display().to_string(),
            Self::Port(addr) => addr.clone(),
        }
    }

    fn unreachable(&self, error: &io::Error) -> Failure {
        let sentence = format!("no node can be asked at {}", self.shown());
        let next = match (self, error.kind()) {
            (Self::Socket(path), io::ErrorKind::PermissionDenied) => {
                let owner = owner(path).map(|uid| format!(" (uid {uid})")).unwrap_or_default();
                format!("run it as the user of the node{owner}, for example with sudo -u")
            }
            _ => "is the node running? `amop-node --config FILE` starts it".to_owned(),
        };
        Failure::new(Exit::UNAVAILABLE, kind!("no-node"), sentence).because(error).next(next)
    }
}

fn owner(path: &Path) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).ok().map(|metadata| metadata.uid())
}

async fn exchange_on(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    request: &str,
) -> io::Result<String> {
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

/// What the node says about a request that it does not carry out.
#[derive(Debug, Deserialize)]
struct Problem {
    kind: String,
    message: String,
}

fn refused(Problem { kind, message }: Problem) -> Failure {
    match kind.as_str() {
        "unknown-party" => Failure::new(Exit::DATA, kind!("unknown-party"), message)
            .next("`amop clients` and `amop peers` show the names"),
        "invalid-id" => Failure::new(Exit::USAGE, kind!("invalid-id"), message),
        "not-permitted" => Failure::of_code(
            Code::NotPermitted,
            Reason::NotPermitted.into(),
            message,
        )
        .next("`amop acl explain ID publish TOPIC` shows the rule; --client NAME asks for another"),
        "invalid-name" => Failure::new(Exit::USAGE, kind!("invalid-name"), message)
            .next("write it as in payments.sdk.bank-a.amop; `amop clients` shows the names"),
        "invalid-topic" => Failure::new(Exit::USAGE, kind!("invalid-topic"), message),
        "invalid-filter" => Failure::new(Exit::USAGE, kind!("invalid-filter"), message)
            .next("give a level such as info, or amop_p2p=debug,info"),
        "not-reloaded" => Failure::new(Exit::CONFIG, kind!("not-reloaded"), "nothing has changed")
            .line("why", message)
            .next("mend the configuration; `amop config check` shows it line by line"),
        _ => Failure::new(Exit::UNAVAILABLE, kind!("refused"), message),
    }
}

/// A text as a value in a request.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                escaped.push(byte.into());
            }
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

/// Where the configuration of a node is, if nobody says.
const CONFIGS: [&str; 2] = ["amop.toml", "/etc/amop/amop.toml"];

/// A node that does not answer in this time does not answer.
const PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_told_from_a_port() {
        let found = |given: &str| match Admin::find(&Some(given.into())).unwrap() {
            Admin::Socket(path) => format!("socket {}", path.display()),
            Admin::Port(addr) => format!("port {addr}"),
        };
        assert_eq!(found("unix:/run/amop.sock"), "socket /run/amop.sock");
        assert_eq!(found("./admin.sock"), "socket ./admin.sock");
        assert_eq!(found("http://127.0.0.1:9301/"), "port 127.0.0.1:9301");
        assert_eq!(found("[::1]:9301"), "port [::1]:9301");
    }

    #[test]
    fn whatever_a_topic_holds_stays_one_value() {
        assert_eq!(escape("a&b=c d/ü?"), "a%26b%3Dc%20d%2F%C3%BC%3F");
    }
}
