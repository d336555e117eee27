//! What can be typed.
//!
//! The help of every command begins with an example and fits a screen; a test holds it to that.

use std::path::PathBuf;
use std::time::Duration;

use amop_wire::limits::TTL_MAX;
use clap::{ArgAction, Args as Arguments, Parser, Subcommand};

use crate::acl::Acl;
use crate::cert::args::Cert;
use crate::config::Configuration;
use crate::doctor::Doctor;
use crate::errors::{Errors, Lang};
use crate::exit::EXIT_CODES;
use crate::key::{HeldArgs, Key, SealArgs};
use crate::look::args::{AdminArgs, NodeOrder, Topics, Topology, Trace, Who};
use crate::pages::{Completions, Man};
use crate::top::Top;
use crate::transfer::args::{Receive, Send};

/// Sends and receives AMOP messages, makes certificates, runs a demo network.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "amop",
    version = amop_node::command::VERSION,
    before_help = "Example: amop demo",
    after_help = EXIT_CODES,
    arg_required_else_help = true
)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) link: LinkArgs,
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// How the client gets into the network.
#[derive(Clone, Debug, Default, Arguments)]
#[command(next_help_heading = "Connection, also by AMOP_ENDPOINT, _CA, _CERT, _KEY, _CONTEXT")]
pub(crate) struct LinkArgs {
    /// Node to attach to; several for failover [default: 127.0.0.1:20200]
    #[arg(short, long = "endpoint", value_name = "HOST:PORT")]
    pub(crate) endpoints: Vec<String>,
    /// The consortium's root [default: ca.crt]
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// Our certificate [default: sdk.crt]
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) cert: Option<PathBuf>,
    /// Its private key [default: sdk.key]
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,
    /// File with the password of the key (mode 0600), instead of asking
    #[arg(long, value_name = "FILE")]
    pub(crate) key_password_file: Option<PathBuf>,
    /// Longest wait, for connection and outcome each [default: 5s]
    #[arg(long, value_name = "DUR", value_parser = parse_timeout)]
    pub(crate) timeout: Option<Duration>,
}

impl LinkArgs {
    /// What stands after the command, or else what stands before it.
    #[must_use]
    pub(crate) fn or(self, before: &Self) -> Self {
        let (identity, identity_before) = ((self.cert, self.key), (&before.cert, &before.key));
        let (cert, key) = match identity {
            (None, None) => (identity_before.0.clone(), identity_before.1.clone()),
            both => both,
        };
        Self {
            endpoints: match self.endpoints.is_empty() {
                true => before.endpoints.clone(),
                false => self.endpoints,
            },
            ca: self.ca.or_else(|| before.ca.clone()),
            cert,
            key,
            key_password_file: self.key_password_file.or_else(|| before.key_password_file.clone()),
            timeout: self.timeout.or(before.timeout),
        }
    }

    /// How long to wait, for the connection and for the outcome each.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout.unwrap_or(TIMEOUT)
    }
}

/// How every command talks.
#[derive(Clone, Debug, Arguments)]
#[command(next_help_heading = "Output")]
pub(crate) struct Common {
    /// One JSON object a line on standard output, errors included
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Language of explanations of errors [default: as LANG says]
    #[arg(
        long,
        global = true,
        value_name = "en|zh",
        env = "AMOP_LANG",
        hide_env = true,
        hide_possible_values = true
    )]
    pub(crate) lang: Option<Lang>,
    /// Log to standard error; -vv logs more
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a network of three banks on this machine, and check what it does
    #[command(before_help = "Example: amop demo --keep")]
    Demo(Demo),
    /// Print the messages of topics, and answer them
    #[command(before_help = "Example: amop sub quote -n 2 --reply 7.1234")]
    Sub(Sub),
    /// Send a message to one subscriber, or to all of them
    #[command(before_help = "Example: amop pub rates @rates.json --multicast")]
    Pub(Publish),
    /// Send a message to one subscriber and print its answer
    #[command(before_help = "Example: amop request quote '{\"pair\":\"USDCNY\"}'")]
    Request(Request),
    /// Send a file to one client that receives files
    #[command(before_help = "Example: amop send report.csv reports")]
    Send(Send),
    /// Receive files into a directory
    #[command(before_help = "Example: amop receive reports inbox")]
    Receive(Receive),
    /// Make and show the keys of private topics
    #[command(before_help = "Example: amop key new hr.key")]
    #[command(subcommand)]
    Key(Key),
    /// Make, request, sign, install, look at and revoke certificates
    #[command(before_help = "Example: amop cert quick --agency bank-a --node n1 --app payments")]
    #[command(subcommand)]
    Cert(Cert),
    /// Show a node on one screen
    #[command(before_help = "Example: amop status")]
    Status(AdminArgs),
    /// Show the peers of a node, and why those that are missing are
    #[command(before_help = "Example: amop peers --admin /run/amop/admin.sock")]
    Peers(AdminArgs),
    /// Show the clients that are attached to a node
    #[command(before_help = "Example: amop clients")]
    Clients(AdminArgs),
    /// Show the topics that a node knows, and how many subscribe
    #[command(before_help = "Example: amop topics quote/")]
    Topics(Topics),
    /// Show who would get a message on a topic
    #[command(before_help = "Example: amop who quote")]
    Who(Who),
    /// Show the network as a node knows it
    #[command(before_help = "Example: amop topology --mermaid")]
    Topology(Topology),
    /// Show what became of one message, node by node, or would become of one
    #[command(before_help = "Example: amop trace 5fd2a1c07b3e98640000000000000007")]
    #[command(override_usage = "amop trace ID\n       amop trace --probe TOPIC [--client NAME]")]
    Trace(Trace),
    /// Watch a node: rates, errors, peers, clients, certificates
    #[command(before_help = "Example: amop top")]
    Top(Top),
    /// Have a node reload, drain, close links, or log more
    #[command(before_help = "Example: amop node reload")]
    #[command(subcommand)]
    Node(NodeOrder),
    /// Find out why a client does not get to its node, layer by layer
    #[command(before_help = "Example: amop doctor -e n1.bank-a.example:20200")]
    Doctor(Doctor),
    /// Explain the codes and kinds of errors, and what to do
    #[command(before_help = "Example: amop errors 102")]
    Errors(Errors),
    /// Explain which rule lets a client do what
    #[command(before_help = "Example: amop acl explain pay.sdk.bank-a.amop publish quote")]
    #[command(subcommand)]
    Acl(Acl),
    /// Check, show and explain the configuration of a node
    #[command(before_help = "Example: amop config check /etc/amop/amop.toml")]
    #[command(subcommand)]
    Config(Configuration),
    /// Say which version this is, with --json for programs
    #[command(before_help = "Example: amop version --json")]
    Version,
    /// Write manual pages: of the commands, of amop-node and of amop.toml
    #[command(before_help = "Example: amop man /usr/local/share/man")]
    Man(Man),
    /// Print what a shell completes commands by
    #[command(before_help = "Example: amop completions bash > /etc/bash_completion.d/amop")]
    Completions(Completions),
}

/// `amop demo`.
#[derive(Clone, Debug, Arguments)]
pub(crate) struct Demo {
    /// Let nothing take longer than it must, for CI
    #[arg(long)]
    pub(crate) fast: bool,
    /// Stay up until Ctrl-C, and print commands to type in other terminals
    #[arg(long)]
    pub(crate) keep: bool,
    /// Write the certificates here and leave them [default: a temporary directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

/// `amop sub`.
#[derive(Clone, Debug, Arguments)]
pub(crate) struct Sub {
    /// What to subscribe to
    #[arg(value_name = "TOPIC", required = true)]
    pub(crate) topics: Vec<String>,
    /// End after this many messages
    #[arg(short = 'n', value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
    /// End after this long; with -n, it is a failure (1) if fewer came
    #[arg(long = "for", value_name = "DUR", value_parser = parse_duration)]
    pub(crate) span: Option<Duration>,
    /// Say `subscribed` once all nodes in reach know; fails after --timeout
    #[arg(long)]
    pub(crate) propagated: bool,
    /// Print payloads only, byte for byte, with nothing between them
    #[arg(long, conflicts_with = "json")]
    pub(crate) raw: bool,
    /// Answer unicasts with this text [default: an empty answer]
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) reply: String,
    #[command(flatten)]
    pub(crate) held: HeldArgs,
    #[command(flatten)]
    pub(crate) link: LinkArgs,
}

/// `amop pub`.
#[derive(Clone, Debug, Arguments)]
pub(crate) struct Publish {
    /// Whom to send it to
    pub(crate) topic: String,
    /// The message: a text, `-` for standard input, `@FILE` for a file
    #[arg(value_name = "PAYLOAD | - | @FILE", default_value = "", hide_default_value = true)]
    pub(crate) payload: String,
    /// Send it to all subscribers, and print how many took it
    #[arg(long, conflicts_with_all = ["at_least_once", "idempotency_key"])]
    pub(crate) multicast: bool,
    #[command(flatten)]
    pub(crate) seal: SealArgs,
    #[command(flatten)]
    pub(crate) terms: TermsArgs,
    #[command(flatten)]
    pub(crate) link: LinkArgs,
}

/// How often one subscriber's message may be handled.
#[derive(Clone, Debug, Arguments)]
pub(crate) struct TermsArgs {
    /// Ask another subscriber if one gives no word; several may handle it
    #[arg(long)]
    pub(crate) at_least_once: bool,
    /// Name the message; sent again by this name, it is handled once
    #[arg(long, value_name = "NAME")]
    pub(crate) idempotency_key: Option<String>,
}

/// `amop request`.
#[derive(Clone, Debug, Arguments)]
pub(crate) struct Request {
    /// Whom to ask
    pub(crate) topic: String,
    /// The message: a text, `-` for standard input, `@FILE` for a file
    #[arg(value_name = "PAYLOAD | - | @FILE", default_value = "", hide_default_value = true)]
    pub(crate) payload: String,
    #[command(flatten)]
    pub(crate) seal: SealArgs,
    #[command(flatten)]
    pub(crate) terms: TermsArgs,
    #[command(flatten)]
    pub(crate) link: LinkArgs,
}

/// Reads a time span such as `500ms`, `5s`, `2m` or `1h`.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|char: char| char.is_ascii_alphabetic());
    let millis_per_unit = match &text[digits.len()..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err("write a number and a unit, as in 500ms, 5s, 2m or 1h".to_owned()),
    };
    let count: u64 = digits.parse().map_err(|_| format!("`{digits}` is no whole number"))?;
    let millis = count.checked_mul(millis_per_unit).filter(|&millis| millis <= MILLIS_MAX);
    match millis {
        None => Err("that is longer than a year".to_owned()),
        Some(0) => Err("that is no time at all".to_owned()),
        Some(millis) => Ok(Duration::from_millis(millis)),
    }
}

fn parse_timeout(text: &str) -> Result<Duration, String> {
    let timeout = parse_duration(text)?;
    if timeout <= TTL_MAX {
        return Ok(timeout);
    }
    Err(format!("a message may take at most {} s", TTL_MAX.as_secs()))
}

const TIMEOUT: Duration = Duration::from_secs(5);

/// A year: longer spans are mistakes.
const MILLIS_MAX: u64 = 366 * 24 * 3_600_000;

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Args::command().debug_assert();
    }

    #[test]
    fn the_help_of_every_command_begins_with_an_example_and_fits_a_screen() {
        let mut root = Args::command();
        root.build();
        let mut commands = vec![root];
        while let Some(mut command) = commands.pop() {
            if command.get_name() == "help" {
                continue; // It prints the help of the others.
            }
            let help = command.render_help().to_string();
            assert!(help.starts_with("Example: amop "), "{help}");
            let widest = help.lines().map(|line| line.chars().count()).max();
            assert!(widest <= Some(100), "{widest:?} columns:\n{help}");
            // That of the tool itself lists all commands and all exit codes.
            let lines_max = if command.get_name() == "amop" { 58 } else { 40 };
            assert!(help.lines().count() <= lines_max, "{help}");
            commands.extend(command.get_subcommands().cloned());
        }
    }

    #[test]
    fn an_example_is_a_command_that_is_understood() {
        let mut commands = vec![Args::command()];
        while let Some(command) = commands.pop() {
            let example = command.get_before_help().expect("there is one").to_string();
            let words = example.trim_start_matches("Example: ").split(' ');
            let words = words.take_while(|&word| word != ">"); // That is the shell's.
            let parsed = Args::try_parse_from(words);
            assert!(parsed.is_ok(), "{example}: {}", parsed.unwrap_err());
            commands.extend(command.get_subcommands().cloned());
        }
    }

    #[test]
    fn connection_flags_may_stand_before_the_command_or_after_it() {
        let link = |line: &str| {
            let args = Args::try_parse_from(line.split(' ')).unwrap();
            let Command::Sub(sub) = args.command else { panic!("{line}") };
            sub.link.or(&args.link)
        };
        let both = link("amop -e a:1 --ca x --timeout 1s sub t -e b:1 -e c:1 --cert y --key z");
        assert_eq!(both.endpoints, ["b:1", "c:1"]);
        assert_eq!(both.ca, Some("x".into()));
        assert_eq!((both.cert, both.key), (Some("y".into()), Some("z".into())));
        assert_eq!(both.timeout, Some(Duration::from_secs(1)));
        let before = link("amop -e a:1 --cert y --key z sub t");
        assert_eq!((before.timeout(), before.endpoints), (TIMEOUT, vec!["a:1".to_owned()]));
        assert_eq!((before.cert, before.key), (Some("y".into()), Some("z".into())));
        Args::try_parse_from("amop sub t --cert y".split(' ')).expect_err("the key is missing");
    }

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("5s"), Ok(Duration::from_secs(5)));
        assert_eq!(parse_duration("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(parse_duration("1h"), Ok(TTL_MAX));
        for wrong in ["", "5", "s", "5 s", "-5s", "1.5s", "5d", "0s", "9000h", "99999999999999999h"]
        {
            parse_duration(wrong).expect_err(wrong);
        }
        assert_eq!(parse_timeout("3600s"), Ok(TTL_MAX));
        parse_timeout("3601s").expect_err("longer than a message may take");
    }
}
