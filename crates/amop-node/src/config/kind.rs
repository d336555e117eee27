//! What the value of a key may be.

use std::net::SocketAddr;

use amop_wire::{Name, NamePattern, Role, TopicPattern};
use toml::Value;

/// A kind of values.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// One part of a node's name.
    Label,
    /// The suffix of all names of a consortium.
    Domain,
    /// The DNS name of a node.
    NodeName,
    /// A path, relative to the file.
    Path,
    /// A whole number between these two.
    Number(u64, u64),
    /// An IP address and a port.
    Socket,
    /// An IP address of this machine alone, and a port.
    Loopback,
    /// One `host:port` or several.
    Hosts,
    /// One of these words.
    Word(&'static [&'static str]),
    /// One of these words or several, the most wanted first.
    Words(&'static [&'static str]),
    /// One of these words, several, or none.
    Set(&'static [&'static str]),
    /// One pattern of names or several.
    Names,
    /// One pattern of topics or several.
    Topics,
    /// What these words say; the section of limits judges it.
    Limit(&'static str),
    /// What is logged.
    Filter,
}

impl Kind {
    /// What is wrong with a value: nothing, or what it should be.
    pub(crate) fn check(self, value: &Value) -> Result<(), String> {
        let text = value.as_str();
        let is_good = match self {
            Self::Label => text.is_some_and(|text| name(text, "agency", "amop")),
            Self::Domain => text.is_some_and(|text| name("n1", "agency", text)),
            Self::NodeName => text
                .and_then(|text| text.parse::<Name>().ok())
                .is_some_and(|name| name.role() == Role::Node),
            Self::Path => text.is_some_and(|text| !text.is_empty()),
            Self::Number(least, most) => value
                .as_integer()
                .and_then(|number| u64::try_from(number).ok())
                .is_some_and(|number| (least..=most).contains(&number)),
            Self::Socket => text.is_some_and(|text| text.parse::<SocketAddr>().is_ok()),
            Self::Loopback => text
                .and_then(|text| text.parse::<SocketAddr>().ok())
                .is_some_and(|addr| addr.ip().is_loopback()),
            Self::Hosts => texts(value).is_some_and(|texts| texts.into_iter().all(is_host)),
            Self::Word(words) => text.is_some_and(|text| words.contains(&text)),
            Self::Words(words) => texts(value).is_some_and(|texts| {
                let is_repeated = |(at, text)| texts[..at].contains(text);
                texts.iter().all(|text| words.contains(text))
                    && !texts.iter().enumerate().any(is_repeated)
            }),
            Self::Set(words) => {
                some_texts(value).is_some_and(|texts| texts.iter().all(|text| words.contains(text)))
            }
            Self::Names => some_texts(value).is_some_and(|texts| {
                !texts.is_empty() && texts.iter().all(|text| text.parse::<NamePattern>().is_ok())
            }),
            Self::Topics => some_texts(value).is_some_and(|texts| {
                !texts.is_empty() && texts.iter().all(|text| text.parse::<TopicPattern>().is_ok())
            }),
            Self::Limit(_) => true,
            Self::Filter => text.is_some_and(is_filter),
        };
        if is_good { Ok(()) } else { Err(self.wanted()) }
    }

    /// What it takes, in words that follow "should be".
    pub(crate) fn wanted(self) -> String {
        let listed = |words: &[&str]| {
            words.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(", ")
        };
        match self {
            Self::Label => "a name of 1 to 63 of `a-z 0-9 -`, such as \"n1\"".into(),
            Self::Domain => "a suffix such as \"amop\"".into(),
            Self::NodeName => "the name of a node, such as \"n1.node.bank-b.amop\"".into(),
            Self::Path => "a path, such as \"node.crt\"".into(),
            Self::Number(least, most) => format!("a whole number from {least} to {most}"),
            Self::Socket => "IP:PORT with a port up to 65535, such as \"0.0.0.0:30300\"".into(),
            Self::Loopback => {
                "IP:PORT with an address of this machine alone, such as \"127.0.0.1:9301\"".into()
            }
            Self::Hosts => "a list of HOST:PORT, such as [\"198.51.100.9:30300\"]".into(),
            Self::Word(words) => format!("one of {}", listed(words)),
            Self::Words(words) => {
                format!("a list of some of {}, the most wanted first, none twice", listed(words))
            }
            Self::Set(words) => format!("a list of some of {}, or of none", listed(words)),
            Self::Names => "names such as \"pay.sdk.bank-a.amop\", \"*.sdk.bank-a.amop\" or \
                            \"agency:bank-a\", or \"*\""
                .into(),
            Self::Topics => "topics such as [\"quote\", \"settle/*\"], or \"*\"".into(),
            Self::Limit(wanted) => wanted.into(),
            Self::Filter => "a level such as \"info\", or \"amop_p2p=debug,info\"".into(),
        }
    }
}

fn name(label: &str, agency: &str, domain: &str) -> bool {
    Name::new(label, Role::Node, agency, domain).is_ok()
}

/// The texts of a list with nothing but texts in it, and at least one.
pub(crate) fn texts(value: &Value) -> Option<Vec<&str>> {
    let texts: Vec<&str> = value.as_array()?.iter().map(Value::as_str).collect::<Option<_>>()?;
    (!texts.is_empty()).then_some(texts)
}

/// The texts of a list with nothing but texts in it, or the one text that stands instead of a list.
pub(crate) fn some_texts(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(text) => Some(vec![text]),
        _ => value.as_array()?.iter().map(Value::as_str).collect(),
    }
}

fn is_host(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0)
    })
}

#[cfg(feature = "filter")]
fn is_filter(text: &str) -> bool {
    tracing_subscriber::EnvFilter::try_new(text).is_ok()
}

/// Who embeds a node logs in its own way.
#[cfg(not(feature = "filter"))]
fn is_filter(_: &str) -> bool {
    true
}
