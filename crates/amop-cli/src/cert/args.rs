//! What can be typed after `amop cert`.

use std::net::SocketAddr;
use std::path::PathBuf;

use amop_pki::{AGENCY_DAYS_MAX, LEAF_DAYS_MAX, LIST_DAYS_MAX, Reason, Serial};
use clap::{Args as Arguments, Subcommand};

/// `amop cert`.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Cert {
    /// Make a consortium to try things out with, or add a node to it
    #[command(before_help = "Example: amop cert quick --agency bank-a --node n1 --app payments")]
    #[command(after_help = QUICK)]
    Quick(Quick),
    /// Make the root of a consortium: certificate, encrypted key, empty revocation list
    #[command(before_help = "Example: amop cert init-root Payments --domain amop")]
    InitRoot(InitRoot),
    /// Make an agency's key and a request for the consortium's root to sign
    #[command(before_help = "Example: amop cert init-agency bank-a")]
    InitAgency(InitAgency),
    /// Make the key of a node or a client, and a request for its agency to sign
    #[command(before_help = "Example: amop cert request n1.node.bank-a.amop")]
    Request(Request),
    /// Show what a request asks for, and the words to compare on the phone
    #[command(before_help = "Example: amop cert show-request node.csr")]
    ShowRequest(OneFile),
    /// Sign a request, as an agency or, with --agency, as the root
    #[command(before_help = "Example: amop cert sign node.csr --authority bank-a-ca")]
    #[command(after_help = SIGN)]
    Sign(Sign),
    /// Check that certificate, key and chain fit, and only then put them in place
    #[command(before_help = "Example: amop cert install signed.crt --key node.key --ca root.crt")]
    #[command(after_help = INSTALL)]
    Install(Install),
    /// Make a new key and a request for the name of a certificate that will end
    #[command(before_help = "Example: amop cert renew node.crt")]
    #[command(after_help = RENEW)]
    Renew(Renew),
    /// Show what stands in certificates, without judging them
    #[command(before_help = "Example: amop cert inspect node.crt")]
    Inspect(Files),
    /// Judge a certificate as a node does when somebody links with it
    #[command(before_help = "Example: amop cert verify node.crt --ca root.crt --crl bank-a-ca.crl")]
    Verify(Verify),
    /// List when certificates and revocation lists end, the next one first
    #[command(before_help = "Example: amop cert expiry node.crt root.crt --within 30")]
    Expiry(Expiry),
    /// Revoke certificates: make the authority's next revocation list
    #[command(before_help = "Example: amop cert revoke n1.crt --authority bank-a-ca")]
    #[command(after_help = REVOKE)]
    Revoke(Revoke),
    /// Make and look at revocation lists
    #[command(before_help = "Example: amop cert crl show bank-a-ca.crl")]
    #[command(subcommand)]
    Crl(Crl),
}

/// `amop cert crl`.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Crl {
    /// Show what stands in a revocation list
    #[command(before_help = "Example: amop cert crl show bank-a-ca.crl")]
    Show(OneFile),
    /// Sign the list again with new dates; nothing is taken off
    #[command(before_help = "Example: amop cert crl make --authority bank-a-ca --days 30")]
    Make(CrlMake),
    /// Check that a list is signed by its authority and has not ended
    #[command(before_help = "Example: amop cert crl check bank-a-ca.crl --issuer bank-a-ca.crt")]
    Check(CrlCheck),
}

/// `amop cert quick`.
#[derive(Clone, Debug, Arguments)]
pub(crate) struct Quick {
    /// The institution
    #[arg(long, value_name = "NAME")]
    pub(crate) agency: String,
    /// Its node
    #[arg(long, value_name = "NAME", default_value = "n1")]
    pub(crate) node: String,
    /// Its client
    #[arg(long, value_name = "NAME", default_value = "app")]
    pub(crate) app: String,
    /// The suffix of all names of the consortium
    #[arg(long, value_name = "NAME", default_value = "amop")]
    pub(crate) domain: String,
    /// Where the files go
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
    /// Where the node listens for peers [default: 127.0.0.1, from 30300 on]
    #[arg(long, value_name = "IP:PORT")]
    pub(crate) p2p_listen: Option<SocketAddr>,
    /// Where it listens for clients [default: 127.0.0.1, from 20200 on]
    #[arg(long, value_name = "IP:PORT")]
    pub(crate) sdk_listen: Option<SocketAddr>,
}

/// Printed by `amop cert quick --help`.
const QUICK: &str = "\
The first run on a directory makes a root, an agency, a node and a client, and amop.toml for the
node. A later run adds a node and a client to them, in DIR/AGENCY/NODE. Nothing is overwritten.";

/// How the key of an authority is kept.
#[derive(Clone, Debug, Arguments)]
pub(crate) struct Secrecy {
    /// Read the key's password from this file (mode 0600) instead of asking
    #[arg(long, value_name = "FILE", conflicts_with = "unencrypted")]
    pub(crate) password_file: Option<PathBuf>,
    /// Write the key without a password: whoever reads the file has it
    #[arg(long)]
    pub(crate) unencrypted: bool,
}

/// An authority's files, PREFIX.crt, PREFIX.key and PREFIX.crl, and how to open its key.
#[derive(Clone, Debug, Arguments)]
pub(crate) struct AuthorityArgs {
    /// The authority whose files are PREFIX.crt, PREFIX.key and PREFIX.crl
    #[arg(long, value_name = "PREFIX")]
    pub(crate) authority: PathBuf,
    /// Read the key's password from this file (mode 0600) instead of asking
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
}

/// `amop cert init-root`.
#[derive(Clone, Debug, Arguments)]
pub(crate) struct InitRoot {
    /// The name of the consortium, for people
    pub(crate) title: String,
    /// The suffix of all names of the consortium
    #[arg(long, value_name = "NAME", default_value = "amop")]
    pub(crate) domain: String,
    /// Where root.crt, root.key and root.crl go
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
    #[command(flatten)]
    pub(crate) secrecy: Secrecy,
}

/// `amop cert init-agency`.
#[derive(Clone, Debug, Arguments)]
pub(crate) struct InitAgency {
    /// The institution
    pub(crate) agency: String,
    /// The suffix of all names of the consortium
    #[arg(long, value_name = "NAME", default_value = "amop")]
    pub(crate) domain: String,
    /// Where AGENCY-ca.key and AGENCY-ca.csr go
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
    #[command(flatten)]
    pub(crate) secrecy: Secrecy,
}

/// `amop cert request`.
#[derive(Clone, Debug, Arguments)]
pub(crate) struct Request {
    /// The full name, as LABEL.node.AGENCY.DOMAIN or LABEL.sdk.AGENCY.DOMAIN
    pub(crate) name: String,
    /// Where node.key and node.csr go, or sdk.key and sdk.csr
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
    #[command(flatten)]
    pub(crate) encryption: Encryption,
}

/// How the key of a node or client is kept: without a password, unless one is wanted.
#[derive(Clone, Debug, Arguments)]
pub(crate) struct Encryption {
    /// Encrypt the key with a password that is asked for
    #[arg(long)]
    pub(crate) encrypt: bool,
    /// Encrypt the key with the first line of this file (mode 0600)
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
}

/// A command about one file.
#[derive(Clone, Debug, Arguments)]
pub(crate) struct OneFile {
    /// The file, in PEM
    pub(crate) file: PathBuf,
}

/// A command about files.
#[derive(Clone, Debug, Arguments)]
pub(crate) struct Files {
    /// The files, in PEM
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
}

/// `amop cert sign`.
#[derive(Clone, Debug, Arguments)]
pub(crate) struct Sign {
    /// The request
    pub(crate) request: PathBuf,
    #[command(flatten)]
    pub(crate) authority: AuthorityArgs,
    /// Sign as the root for this agency, which must be the one in the request
    #[arg(long, value_name = "NAME")]
    pub(crate) agency: Option<String>,
    /// How long it counts [default: 90; for an agency 1095]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..=AGENCY_DAYS_MAX))]
    pub(crate) days: Option<u64>,
    /// Where the certificate goes [default: the request's name with .crt]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Do not ask whether the words were compared
    #[arg(long)]
    pub(crate) yes: bool,
}

/// `amop cert install`.
#[derive(Clone, Debug, Arguments)]
pub(crate) struct Install {
    /// What the authority has sent back
    pub(crate) certificate: PathBuf,
    /// The key that was made with the request; a trailing .new is taken off
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// The consortium's root
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: PathBuf,
    /// Where it goes [default: beside the key, with its name and .crt]
    #[arg(long, value_name = "FILE")]
    pub(crate) into: Option<PathBuf>,
    /// Read the password of an agency's key from this file (mode 0600)
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
}

/// `amop cert renew`.
#[derive(Clone, Debug, Arguments)]
pub(crate) struct Renew {
    /// The certificate in use
    pub(crate) certificate: PathBuf,
    /// Only say whether it is time
    #[arg(long)]
    pub(crate) check: bool,
    /// Go on: make the request in time, and install the answer
    #[arg(long, conflicts_with = "check", requires = "ca")]
    pub(crate) daemon: bool,
    /// After which part of its life it is time [default: two thirds]
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(1..=99))]
    pub(crate) at: Option<u32>,
    /// With --daemon: the consortium's root
    #[arg(long, value_name = "FILE", requires = "daemon")]
    pub(crate) ca: Option<PathBuf>,
    /// With --daemon: where the answer will appear [default: CERTIFICATE.new]
    #[arg(long, value_name = "FILE", requires = "daemon")]
    pub(crate) answer: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) encryption: Encryption,
}

/// `amop cert verify`.
#[derive(Clone, Debug, Arguments)]
pub(crate) struct Verify {
    /// The certificate with its chain, as it is shown to others
    pub(crate) certificate: PathBuf,
    /// The consortium's root, or several
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: PathBuf,
    /// A revocation list; may be repeated
    #[arg(long = "crl", value_name = "FILE")]
    pub(crate) crls: Vec<PathBuf>,
    /// Go by lists also after their end
    #[arg(long)]
    pub(crate) accept_stale: bool,
}

/// `amop cert expiry`.
#[derive(Clone, Debug, Arguments)]
pub(crate) struct Expiry {
    /// Files with certificates or revocation lists, in PEM
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// End with 1 if anything has ended or will within so many days
    #[arg(long, value_name = "DAYS")]
    pub(crate) within: Option<u32>,
}

/// `amop cert revoke`.
#[derive(Clone, Debug, Arguments)]
pub(crate) struct Revoke {
    /// The certificates: of each file the first
    #[arg(value_name = "FILE", required_unless_present = "serials")]
    pub(crate) files: Vec<PathBuf>,
    /// One by its serial number in hex, if there is no file; may be repeated
    #[arg(long = "serial", value_name = "HEX")]
    pub(crate) serials: Vec<Serial>,
    #[command(flatten)]
    pub(crate) authority: AuthorityArgs,
    /// Why, for people; see below [default: unspecified]
    #[arg(long, value_name = "WHY", value_parser = parse_reason, default_value = "unspecified")]
    #[arg(hide_default_value = true)]
    pub(crate) reason: Reason,
    /// How long the new list counts
    #[arg(long, value_name = "COUNT", default_value_t = LIST_DAYS)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=LIST_DAYS_MAX))]
    pub(crate) days: u64,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
}

/// `amop cert crl make`.
#[derive(Clone, Debug, Arguments)]
pub(crate) struct CrlMake {
    #[command(flatten)]
    pub(crate) authority: AuthorityArgs,
    /// How long the new list counts
    #[arg(long, value_name = "COUNT", default_value_t = LIST_DAYS)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=LIST_DAYS_MAX))]
    pub(crate) days: u64,
    /// Begin with an empty list; what a lost one has revoked is forgotten
    #[arg(long)]
    pub(crate) first: bool,
}

/// `amop cert crl check`.
#[derive(Clone, Debug, Arguments)]
pub(crate) struct CrlCheck {
    /// The list
    pub(crate) file: PathBuf,
    /// The certificate of the authority that should have signed it
    #[arg(long, value_name = "FILE")]
    pub(crate) issuer: PathBuf,
}

fn parse_reason(text: &str) -> Result<Reason, String> {
    let found = Reason::ALL.into_iter().find(|reason| reason.as_str() == text);
    found.ok_or_else(|| format!("it is one of {}", Reason::ALL.map(Reason::as_str).join(", ")))
}

/// How many days a list counts unless somebody says otherwise.
pub(crate) const LIST_DAYS: u64 = 30;

/// How many days the certificate of a node or client counts unless somebody says otherwise.
pub(crate) const LEAF_DAYS: u64 = 90;

/// How many days the certificate of an agency counts unless somebody says otherwise.
pub(crate) const AGENCY_DAYS: u64 = 3 * 365;

const _: () = assert!(LEAF_DAYS <= LEAF_DAYS_MAX && AGENCY_DAYS <= AGENCY_DAYS_MAX);

/// Printed by `amop cert sign --help`.
const SIGN: &str = "\
The key and the one name in the request are copied, nothing else. A node's or client's certificate
is followed by the agency's own, as it is to be shown. Compare the words with whoever made the key.";

/// Printed by `amop cert install --help`.
const INSTALL: &str = "\
What was there before is kept beside it with .old. A node takes it at its next start.";

/// Printed by `amop cert renew --help`.
const RENEW: &str = "\
Writes NAME.key.new and NAME.csr beside NAME.crt; what is in use stays. Have the request signed,
then `amop cert install SIGNED --key NAME.key.new --ca ROOT`. With --daemon, in time and again and
again: it says when to have the request signed, and installs what then appears at NAME.crt.new.";

/// Printed by `amop cert revoke --help`.
const REVOKE: &str = "\
WHY is unspecified, key-compromise, affiliation-changed, superseded, cessation or
privilege-withdrawn.
Give PREFIX.crl to every node of the consortium (`tls.crl`).";
