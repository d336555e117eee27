//! What is said of a file that a signal has ended before it had come.

use amop_sdk::{Code, FileOutcome};

use super::args::Send;
use crate::exit::Failure;
use crate::out::Out;
use crate::stop::Asked;
use crate::text::printable;

/// A file that was given up.
pub(super) struct GivenUp {
    pub(super) asked: Asked,
    pub(super) left: Left,
}

/// Where a file is that was given up, as far as its sender knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    Nowhere,
    /// Its only receiver may have it.
    Perhaps,
    AtSome {
        there: usize,
        perhaps: usize,
        all: usize,
    },
}

impl GivenUp {
    /// Says where it is and how to go on.
    pub(super) fn tell(self, args: &Send, out: &Out) -> Failure {
        let file = printable(args.file.to_string_lossy().as_bytes());
        out.note(self.left.words(&file, &args.topic));
        Failure::Stopped(self.asked)
    }
}

impl Left {
    /// At one receiver, where it ended with this code.
    pub(super) fn at_one(code: Option<Code>) -> Self {
        if code == Some(Code::TimedOut) { Self::Perhaps } else { Self::Nowhere }
    }

    /// At several.
    pub(super) fn at_all(outcomes: &[FileOutcome]) -> Self {
        Self::of_codes(outcomes.iter().map(|outcome| outcome.code))
    }

    fn of_codes(codes: impl Iterator<Item = Code> + Clone) -> Self {
        let count = |code| codes.clone().filter(|it| *it == code).count();
        match (count(Code::Ok), count(Code::TimedOut)) {
            (0, 0) => Self::Nowhere,
            (there, perhaps) => Self::AtSome { there, perhaps, all: codes.count() },
        }
    }

    fn words(self, file: &str, topic: &str) -> String {
        let again = format!("send it again to `{topic}` within 24 h to");
        match self {
            Self::Nowhere => format!("{file} is not sent; {again} go on"),
            Self::Perhaps => format!("{file} may be at its receiver or not; {again} know"),
            Self::AtSome { there, perhaps: 0, all } => {
                format!("{file} is at {there} of {all} receivers; {again} go on")
            }
            Self::AtSome { there, perhaps, all } => format!(
                "{file} is at {there} of {all} receivers, and may be at {perhaps} more; {again} go on"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_not_denied() {
        use Code::{FileRefused, Ok, TimedOut};
        let words = |codes: &[Code]| Left::of_codes(codes.iter().copied()).words("a", "t");
        let again = "send it again to `t` within 24 h to go on";
        for (codes, said) in [
            (&[FileRefused, FileRefused][..], "a is not sent"),
            (&[Ok, FileRefused, Ok], "a is at 2 of 3 receivers"),
            (&[TimedOut, FileRefused], "a is at 0 of 2 receivers, and may be at 1 more"),
            (&[Ok, TimedOut], "a is at 1 of 2 receivers, and may be at 1 more"),
        ] {
            assert_eq!(words(codes), format!("{said}; {again}"));
        }
        let one = |code| Left::at_one(Some(code)).words("a", "t");
        assert_eq!(one(FileRefused), format!("a is not sent; {again}"));
        let said = "a may be at its receiver or not; send it again to `t` within 24 h to know";
        assert_eq!(one(TimedOut), said);
    }
}
