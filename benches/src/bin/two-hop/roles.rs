//! What a process is that the benchmark starts.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Subcommand;

use crate::certs::Party;
use crate::door::Door;
use crate::orders::benchmark_ended;
use crate::system::System;
use crate::{nats, ours, raw};

#[derive(Debug, Subcommand)]
pub(crate) enum Role {
    /// The client that sends, to so many subscribers.
    #[command(hide = true)]
    Publisher { system: System, at: Door, subscribers: u32, certs: PathBuf },
    /// So many clients that receive and answer.
    #[command(hide = true)]
    Subscriber { system: System, at: Door, count: u32, certs: PathBuf },
    /// Clients that are idle, as many as will be ordered.
    #[command(hide = true)]
    Crowd { system: System, at: Door, count: u32, certs: PathBuf },
    /// The client that sends files.
    #[command(hide = true)]
    FileSender { at: Door, certs: PathBuf },
    /// A client that receives files into a directory.
    #[command(hide = true)]
    FileReceiver { at: Door, certs: PathBuf, dir: PathBuf },
    /// A bare relay.
    #[command(hide = true)]
    Relay { system: System, party: Party, certs: PathBuf, dial: Option<Door> },
}

impl Role {
    /// Plays the role until the benchmark ends.
    ///
    /// # Errors
    ///
    /// Fails when a link does not come up or breaks.
    pub(crate) async fn play(self) -> Result<()> {
        match self {
            Self::Publisher { system, at, subscribers, certs } => match system {
                System::Ours => ours::run_publisher(&certs, at, subscribers).await,
                System::Raw | System::RawSparseAcks => raw::run_publisher(system, &certs, at).await,
                System::Nats => nats::run_publisher(&certs, at, subscribers).await,
            },
            Self::Subscriber { system, at, count, certs } => match system {
                System::Ours => ours::run_subscribers(&certs, at, count).await,
                System::Raw | System::RawSparseAcks => {
                    raw::run_subscriber(system, &certs, at).await
                }
                System::Nats => nats::run_subscribers(&certs, at, count).await,
            },
            Self::Crowd { system, at, count: _, certs } => match system {
                System::Ours => ours::run_crowd(&certs, at).await,
                System::Raw | System::RawSparseAcks => bail!("a bare relay takes one client"),
                System::Nats => nats::run_crowd(&certs, at).await,
            },
            Self::FileSender { at, certs } => ours::run_file_sender(&certs, at).await,
            Self::FileReceiver { at, certs, dir } => {
                ours::run_file_receiver(&certs, at, &dir).await
            }
            Self::Relay { system, party, certs, dial } => tokio::select! {
                result = raw::run_relay(system, party, &certs, dial) => result,
                () = benchmark_ended() => Ok(()),
            },
        }
    }
}
