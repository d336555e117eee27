//! The layers, and how they are told.

use serde::Serialize;

use crate::exit::{Exit, Failure};
use crate::out::Out;

/// What lies between us and the node, from the ground up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Layer {
    /// The name of the host has an address.
    Name,
    /// Packets get there and back.
    Udp,
    /// Who answers speaks our protocol.
    Tls,
    /// The node takes our certificate.
    Ours,
    /// We take the node's.
    Theirs,
    /// The node takes us in.
    Attach,
    /// The clock of this machine can be right.
    Clock,
    /// The system lets sockets have large buffers.
    Buffers,
}

impl Layer {
    fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Udp => "udp",
            Self::Tls => "tls",
            Self::Ours => "ours",
            Self::Theirs => "theirs",
            Self::Attach => "attach",
            Self::Clock => "clock",
            Self::Buffers => "buffers",
        }
    }
}

/// The first layer that is broken.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) layer: Layer,
    pub(super) exit: Exit,
    pub(super) text: String,
    /// How to mend it.
    pub(super) next: String,
}

/// What is found about one endpoint, told as it is found.
pub(super) struct Chart<'a> {
    endpoint: &'a str,
    out: &'a mut Out,
    has_title: bool,
}

impl<'a> Chart<'a> {
    pub(super) fn of(endpoint: &'a str, out: &'a mut Out) -> Self {
        Self { endpoint, out, has_title: false }
    }

    pub(super) fn good(&mut self, layer: Layer, text: &str) -> Result<(), Failure> {
        self.tell(layer, "good", text, None)
    }

    /// It works, but not as well as it could.
    pub(super) fn warning(&mut self, layer: Layer, text: &str, next: &str) -> Result<(), Failure> {
        self.tell(layer, "warning", text, Some(next))
    }

    /// Nothing above it is looked at. Answers the exit code.
    pub(super) fn broken(&mut self, broken: &Broken) -> Result<Exit, Failure> {
        self.tell(broken.layer, "broken", &broken.text, Some(&broken.next))?;
        Ok(broken.exit)
    }

    fn tell(
        &mut self,
        layer: Layer,
        state: &'static str,
        text: &str,
        next: Option<&str>,
    ) -> Result<(), Failure> {
        if self.out.is_json() {
            let (kind, endpoint) = ("diagnosis", self.endpoint);
            return self.out.json(&LayerObject { kind, endpoint, layer, state, text, next });
        }
        if !self.has_title {
            self.has_title = true;
            self.out.line(self.endpoint)?;
        }
        self.out.line(format!("  {:<8} {state:<8} {text}", layer.name()))?;
        match next {
            Some(next) => self.out.line(format!("  {:<8} {:<8} {next}", "", "next")),
            None => Ok(()),
        }
    }
}

/// What is found about one layer, for programs.
#[derive(Serialize)]
struct LayerObject<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    endpoint: &'a str,
    layer: Layer,
    state: &'static str,
    text: &'a str,
    next: Option<&'a str>,
}
