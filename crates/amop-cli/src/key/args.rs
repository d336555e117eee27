//! What can be typed after `amop key`, and the keys of other commands.

use std::path::PathBuf;

use clap::{Args as Arguments, Subcommand};

/// `amop key`.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Key {
    /// Make a key that private topics can be read with
    #[command(before_help = "Example: amop key new hr.key")]
    New(New),
    /// Take over a key that another tool made
    #[command(before_help = "Example: amop key import fisco.pem hr.key")]
    Import(Import),
    /// Print the half of a key that publishers get
    #[command(before_help = "Example: amop key public hr.key")]
    Public(Public),
    /// Print what two people compare to be sure that they mean the same key
    #[command(before_help = "Example: amop key fingerprint hr.key.pub")]
    Fingerprint(Fingerprint),
}

/// `amop key new`.
#[derive(Clone, Debug, Arguments)]
pub(crate) struct New {
    /// Where the key goes; its public half goes to FILE.pub. Nothing is overwritten
    pub(crate) file: PathBuf,
    /// Encrypt it with a password that is asked for
    #[arg(long)]
    pub(crate) encrypt: bool,
    /// Encrypt it with the first line of this file
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
}

/// `amop key import`.
#[derive(Clone, Debug, Arguments)]
pub(crate) struct Import {
    /// A PKCS#8 PEM file of a secp256k1 key, or `-` for standard input
    pub(crate) source: PathBuf,
    /// The file with the password of SOURCE; else it is asked for
    #[arg(long, value_name = "FILE")]
    pub(crate) source_password_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) new: New,
}

/// `amop key public`.
#[derive(Clone, Debug, Arguments)]
pub(crate) struct Public {
    #[command(flatten)]
    pub(crate) which: Fingerprint,
    /// Print 66 hex digits instead of PEM
    #[arg(long)]
    pub(crate) hex: bool,
}

/// `amop key fingerprint`.
#[derive(Clone, Debug, Arguments)]
pub(crate) struct Fingerprint {
    /// A file with a key, secret or public, or a public key in hex
    pub(crate) key: String,
    /// The file with its password, which is asked for if it has one
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
}

/// With which key to read a private topic.
#[derive(Clone, Debug, Default, Arguments)]
pub(crate) struct HeldArgs {
    /// Read private topics with this key, and nothing that is not sealed
    #[arg(long = "topic-key", value_name = "FILE")]
    pub(crate) topic_key: Option<PathBuf>,
    /// The file with its password; else it is asked for
    #[arg(long, value_name = "FILE", requires = "topic_key")]
    pub(crate) password_file: Option<PathBuf>,
}

/// Whose keys a message is sealed for.
#[derive(Clone, Debug, Default, Arguments)]
pub(crate) struct SealArgs {
    /// Seal it for who holds this public key, a file or hex
    #[arg(long, value_name = "KEY", value_delimiter = ',')]
    pub(crate) to: Vec<String>,
}
