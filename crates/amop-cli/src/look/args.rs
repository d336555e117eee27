//! What can be typed to look at a node.

use clap::{Args as Arguments, Subcommand};

/// Where the node's admin interface is.
#[derive(Clone, Debug, Arguments)]
pub(crate) struct AdminArgs {
    /// Socket of the node, or HOST:PORT [default: as amop.toml says]
    #[arg(long, value_name = "PATH", env = "AMOP_ADMIN", hide_env = true)]
    pub(crate) admin: Option<String>,
}

/// What to look at.
#[derive(Clone, Debug)]
pub(crate) enum Look {
    Status(AdminArgs),
    Peers(AdminArgs),
    Clients(AdminArgs),
    Topics(Topics),
    Who(Who),
    Topology(Topology),
    Trace(Trace),
}

/// `amop topics`.
#[derive(Clone, Debug, Arguments)]
pub(crate) struct Topics {
    /// Only those that begin like this
    #[arg(value_name = "BEGINNING", default_value = "", hide_default_value = true)]
    pub(crate) beginning: String,
    /// How many at most
    #[arg(long, default_value_t = 1000)]
    pub(crate) limit: usize,
    #[command(flatten)]
    pub(crate) admin: AdminArgs,
}

/// `amop who`.
#[derive(Clone, Debug, Arguments)]
pub(crate) struct Who {
    /// The topic
    pub(crate) topic: String,
    #[command(flatten)]
    pub(crate) admin: AdminArgs,
}

/// `amop trace`.
#[derive(Clone, Debug, Arguments)]
pub(crate) struct Trace {
    /// The message, as its publisher was told it
    #[arg(required_unless_present = "probe")]
    pub(crate) id: Option<String>,
    /// Look ahead: who would get a message on this topic now, and how far it is
    #[arg(long, value_name = "TOPIC", conflicts_with = "id")]
    pub(crate) probe: Option<String>,
    /// Client that would publish, whose rules count [default: any of the agency]
    #[arg(long, value_name = "NAME", requires = "probe")]
    pub(crate) client: Option<String>,
    #[command(flatten)]
    pub(crate) admin: AdminArgs,
}

/// `amop topology`.
#[derive(Clone, Debug, Arguments)]
pub(crate) struct Topology {
    /// Show it again whenever it changes, until Ctrl-C
    #[arg(long)]
    pub(crate) watch: bool,
    /// As a graph for Graphviz
    #[arg(long, conflicts_with_all = ["mermaid", "json"])]
    pub(crate) dot: bool,
    /// As a graph for Markdown
    #[arg(long, conflicts_with = "json")]
    pub(crate) mermaid: bool,
    #[command(flatten)]
    pub(crate) admin: AdminArgs,
}

/// `amop node`.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum NodeOrder {
    /// Have the node read its configuration again; if anything is wrong, nothing changes
    #[command(before_help = "Example: amop node reload")]
    Reload(AdminArgs),
    /// Have the node stop without harm: its clients go elsewhere first
    #[command(before_help = "Example: amop node drain")]
    Drain(AdminArgs),
    /// Close the links of a client or a peer, which may come back
    #[command(before_help = "Example: amop node kick payments.sdk.bank-a.amop")]
    Kick(Kick),
    /// Log by another filter until the next start
    #[command(before_help = "Example: amop node log-level amop_p2p=debug,info")]
    LogLevel(LogLevel),
}

/// `amop node kick`.
#[derive(Clone, Debug, Arguments)]
pub(crate) struct Kick {
    /// Its name, or the instance of one client as `amop clients` shows it
    #[arg(value_name = "NAME")]
    pub(crate) whom: String,
    #[command(flatten)]
    pub(crate) admin: AdminArgs,
}

/// `amop node log-level`.
#[derive(Clone, Debug, Arguments)]
pub(crate) struct LogLevel {
    /// A level, or levels by module
    pub(crate) filter: String,
    #[command(flatten)]
    pub(crate) admin: AdminArgs,
}
