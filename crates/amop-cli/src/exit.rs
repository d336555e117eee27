//! How a command ends: the exit code, and what is said about it.
//!
//! A code of AMOP (99 to 206) is the exit code itself, so that a script can tell "never handled"
//! from "may have been handled". The others are those of BSD's `sysexits.h`, as other tools have
//! them.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use amop_wire::{Code, MsgId};
use serde::Serialize;

use crate::errors::{Kind, Lang, in_chinese};
use crate::out::Out;
use crate::stop::Asked;
use crate::text::millis;

/// The exit codes other than those of AMOP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exit(u8);

impl Exit {
    /// Something that no other code says.
    pub(crate) const OTHER: Self = Self(1);
    /// The arguments contradict each other.
    pub(crate) const USAGE: Self = Self(2);
    /// A file is there, but it holds something else.
    pub(crate) const DATA: Self = Self(65);
    /// A file to read is missing or unreadable.
    pub(crate) const NO_INPUT: Self = Self(66);
    /// No endpoint can be reached.
    pub(crate) const UNAVAILABLE: Self = Self(69);
    /// A file cannot be made.
    pub(crate) const CANNOT_CREATE: Self = Self(73);
    /// Reading or writing failed.
    pub(crate) const IO: Self = Self(74);
    /// The other side speaks another protocol.
    pub(crate) const PROTOCOL: Self = Self(76);
    /// Refused: our certificate by the node, or the node's by us.
    pub(crate) const NOT_PERMITTED: Self = Self(77);
    /// A configuration is wrong.
    pub(crate) const CONFIG: Self = Self(78);

    /// That of a code of AMOP.
    pub(crate) fn of(code: Code) -> Self {
        Self(code.number())
    }
}

/// Printed by `amop help`.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0 done             65 a file holds something else     74 reading or writing failed
  1 anything else    66 a file is missing               76 other side speaks another protocol
  2 wrong arguments  69 no endpoint can be reached      77 certificate refused
                     73 a file cannot be made           78 configuration wrong
  99 not sent  100 no subscriber  101 subscriber unreachable  102 timed out, may have been handled
  103 over a limit  201 invalid  202 not permitted  203 draining  204 overloaded  205 id reused
  206 file refused  130 Ctrl-C with nothing done  143 SIGTERM; a reader that goes away: 0";

/// Why a command ends before it is done.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nobody reads the output any more: no failure at all.
    ClosedPipe,
    /// All was said already; only the exit code is left.
    Told(Exit),
    /// A signal asked for the end before the command was done.
    Stopped(Asked),
    /// A failure that is still to be told.
    Untold(Box<Report>),
}

/// What is told about a failure.
#[derive(Debug)]
pub(crate) struct Report {
    exit: u8,
    code: Option<Code>,
    kind: Kind,
    sentence: String,
    id: Option<String>,
    node: Option<String>,
    retry_after: Option<Duration>,
    /// Further lines for people: what it is about, and the text.
    lines: Vec<(&'static str, String)>,
}

impl Failure {
    /// A failure with a stable `kind` for programs and a `sentence` for people.
    pub(crate) fn new(exit: Exit, kind: Kind, sentence: impl Into<String>) -> Self {
        Self::untold(exit.0, None, kind, sentence.into())
    }

    /// A publish that ended with a code other than [`Code::Ok`].
    pub(crate) fn of_code(code: Code, kind: Kind, sentence: impl Into<String>) -> Self {
        Self::untold(code.number(), Some(code), kind, sentence.into())
    }

    /// A subscriber that handled a unicast and has nothing good to tell: [`Code::Ok`] for AMOP, and
    /// yet a failure for a script.
    pub(crate) fn of_handler(kind: Kind, sentence: impl Into<String>) -> Self {
        Self::untold(Exit::OTHER.0, Some(Code::Ok), kind, sentence.into())
    }

    /// What it says, in one sentence.
    pub(crate) fn sentence(&self) -> String {
        match self {
            Self::Untold(report) => report.sentence.clone(),
            Self::ClosedPipe | Self::Told(_) | Self::Stopped(_) => String::new(),
        }
    }

    /// What it says, and why, if somebody knows.
    pub(crate) fn in_one_line(&self) -> String {
        let sentence = self.sentence();
        match self {
            Self::Untold(report) => match report.line_about("why") {
                Some(why) => format!("{sentence}: {why}"),
                None => sentence,
            },
            Self::ClosedPipe | Self::Told(_) | Self::Stopped(_) => sentence,
        }
    }

    /// Adds the error behind it, with its causes.
    pub(crate) fn because(self, error: &dyn Error) -> Self {
        self.line("why", chain(error))
    }

    /// Adds what to do now.
    pub(crate) fn next(self, text: impl Into<String>) -> Self {
        self.line("next", text.into())
    }

    /// Adds the message that it is about.
    pub(crate) fn id(mut self, id: MsgId) -> Self {
        if let Self::Untold(report) = &mut self {
            report.id = Some(id.to_string());
        }
        self
    }

    /// Adds the node or nodes where it happened.
    pub(crate) fn node(mut self, node: impl Into<String>) -> Self {
        if let Self::Untold(report) = &mut self {
            report.node = Some(node.into());
        }
        self
    }

    /// Adds when the same would be within the limits.
    pub(crate) fn retry_after(mut self, span: Duration) -> Self {
        if let Self::Untold(report) = &mut self {
            report.retry_after = Some(span);
        }
        self
    }

    /// Adds a line for people.
    pub(crate) fn line(mut self, about: &'static str, text: impl Into<String>) -> Self {
        if let Self::Untold(report) = &mut self {
            report.lines.push((about, text.into()));
        }
        self
    }

    /// Says what is to be said, and gives the exit code.
    pub(crate) fn tell(&self, out: &mut Out) -> ExitCode {
        match self {
            Self::ClosedPipe => ExitCode::SUCCESS,
            Self::Told(exit) => ExitCode::from(exit.0),
            Self::Stopped(asked) => ExitCode::from(asked.exit_code()),
            Self::Untold(report) => {
                if out.is_json() {
                    // If nobody reads it, the exit code still says it.
                    let _ = out.json(&report.to_object());
                } else {
                    out.note(report.to_text());
                    if out.lang() == Lang::Zh {
                        let [meaning, next] = in_chinese(report.code, report.kind);
                        out.note(format!("  说明   {meaning}\n  建议   {next}"));
                    }
                }
                ExitCode::from(report.exit)
            }
        }
    }

    fn untold(exit: u8, code: Option<Code>, kind: Kind, sentence: String) -> Self {
        let lines = Vec::new();
        let (id, node, retry_after) = (None, None, None);
        Self::Untold(Box::new(Report { exit, code, kind, sentence, id, node, retry_after, lines }))
    }
}

impl Report {
    fn to_text(&self) -> String {
        let number = self.code.map(|code| format!(" {code}")).unwrap_or_default();
        let mut text = format!("error[{}]{number}: {}", self.kind.as_str(), self.sentence);
        let id = self.id.iter().map(|id| ("id", id));
        let node = self.node.iter().map(|node| ("where", node));
        let lines = self.lines.iter().map(|(about, text)| (*about, text));
        for (about, line) in id.chain(node).chain(lines) {
            text.push_str(&format!("\n  {about:<6} {line}"));
        }
        text
    }

    fn to_object(&self) -> ErrorObject<'_> {
        ErrorObject {
            kind_of_object: "error",
            exit: self.exit,
            code: self.code.map(Code::number),
            kind: self.kind.as_str(),
            message: &self.sentence,
            id: self.id.as_deref(),
            node: self.node.as_deref(),
            may_have_been_handled: self.code.map(Code::may_have_been_handled),
            retry_after_ms: self.retry_after.map(millis),
            why: self.line_about("why"),
            next: self.line_about("next"),
        }
    }

    fn line_about(&self, about: &str) -> Option<&str> {
        self.lines.iter().find(|(key, _)| *key == about).map(|(_, text)| &**text)
    }
}

/// A failure as an object; what does not apply is `null`.
#[derive(Serialize)]
struct ErrorObject<'a> {
    #[serde(rename = "type")]
    kind_of_object: &'static str,
    exit: u8,
    code: Option<u8>,
    kind: &'static str,
    message: &'a str,
    id: Option<&'a str>,
    node: Option<&'a str>,
    may_have_been_handled: Option<bool>,
    retry_after_ms: Option<f64>,
    why: Option<&'a str>,
    next: Option<&'a str>,
}

/// An error with its causes, in one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests {
    use amop_wire::{Instance, Reason};

    use super::*;
    use crate::errors::kind;

    fn report(failure: &Failure) -> &Report {
        match failure {
            Failure::Untold(report) => report,
            other => panic!("{other:?} is told already"),
        }
    }

    #[test]
    fn people_read_the_kind_the_code_and_a_line_for_each_fact() {
        let failure =
            Failure::of_code(Code::NoSubscriber, Reason::NoSubscriber.into(), "nobody has `quote`")
                .node("bank-a/n1")
                .next("subscribe")
                .id(MsgId { publisher: Instance(0xab), counter: 0x10 });
        let text = report(&failure).to_text();
        let expected = "error[no-subscriber] 100: nobody has `quote`\n  \
                        id     00000000000000ab0000000000000010\n  \
                        where  bank-a/n1\n  next   subscribe";
        assert_eq!(text, expected);
        let failure = Failure::new(Exit::NO_INPUT, kind!("no-file"), "cannot read x");
        assert_eq!(report(&failure).to_text(), "error[no-file]: cannot read x");
    }

    #[test]
    fn an_error_object_begins_with_its_type_and_has_every_key() {
        let failure = Failure::of_code(Code::TimedOut, Reason::Deadline.into(), "late");
        let text = serde_json::to_string(&report(&failure).to_object()).unwrap();
        let expected = concat!(
            r#"{"type":"error","exit":102,"code":102,"kind":"deadline","message":"late","#,
            r#""id":null,"node":null,"may_have_been_handled":true,"retry_after_ms":null,"why":null,"next":null}"#
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn every_code_of_amop_is_explained_in_the_help() {
        for code in Code::ALL {
            assert!(EXIT_CODES.contains(&format!(" {code} ")), "{code}");
        }
    }
}
