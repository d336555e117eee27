//! What both demos are told on the command line.

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use amop_sdk::{Client, Identity, Trust};
use clap::Args;

/// Where to connect and with which certificate. Without the three files, the environment decides:
/// AMOP_CONTEXT, or AMOP_CA, AMOP_CERT and AMOP_KEY, or ./ca.crt, ./sdk.crt and ./sdk.key.
#[derive(Args)]
pub(crate) struct Connection {
    /// The node, as host:port.
    endpoint: String,
    /// The topic.
    pub(crate) topic: String,
    /// The trusted roots.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The certificate and its issuer.
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// The private key.
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
}

impl Connection {
    pub(crate) async fn connect(&self) -> Result<Client, Box<dyn Error>> {
        let mut client = Client::builder().endpoint(&self.endpoint);
        if let Some(ca) = &self.ca {
            client = client.trust(Trust::from_pem(&read(ca)?)?);
        }
        if let (Some(cert), Some(key)) = (&self.cert, &self.key) {
            client = client.identity(Identity::from_pem(&read(cert)?, &read(key)?)?);
        }
        Ok(client.from_env()?.connect().await?)
    }
}

fn read(path: &PathBuf) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

/// The error and its causes, in one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", chain(cause)),
        None => error.to_string(),
    }
}
