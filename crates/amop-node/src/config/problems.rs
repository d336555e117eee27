//! All that is wrong with a configuration, and where.
//!
//! ```text
//! error: `p2p.listen` is "0.0.0.0:70000", and should be IP:PORT with a port up to 65535, such as "0.0.0.0:30300"
//!   --> amop.toml:3:10
//!    |
//!  3 | listen = "0.0.0.0:70000"
//!    |          ^^^^^^^^^^^^^^^
//! ```

use std::error::Error;
use std::fmt;
use std::path::PathBuf;

use super::error::ConfigError;

/// Why a configuration was not taken: all that is wrong with it. Nothing was started.
#[derive(Debug)]
pub struct ConfigErrors {
    /// The configuration file.
    pub file: PathBuf,
    /// At least one, in the order of the file.
    pub problems: Vec<ConfigProblem>,
}

/// One thing that is wrong.
#[derive(Debug)]
pub struct ConfigProblem {
    /// What it is.
    pub error: ConfigError,
    /// Where, if it stands somewhere.
    pub place: Option<Place>,
}

/// A place in the configuration file, or in what was set on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, or `--set`.
    pub source: String,
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    /// How many characters it takes, at least 1.
    pub width: usize,
    /// The whole line.
    pub text: String,
}

impl Place {
    /// The place of these bytes of a text.
    pub(crate) fn of(source: String, text: &str, span: &std::ops::Range<usize>) -> Self {
        let start = text.floor_char_boundary(span.start.min(text.len()));
        let end = text.floor_char_boundary(span.end.clamp(start, text.len()));
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        Self {
            source,
            line: text[..start].matches('\n').count() + 1,
            column: text[line_start..start].chars().count() + 1,
            width: text[start..end.min(line_end)].chars().count().max(1),
            text: text[line_start..line_end].trim_end().to_owned(),
        }
    }
}

impl ConfigProblem {
    /// What is wrong, with its causes, in one line.
    #[must_use]
    pub fn sentence(&self) -> String {
        let source = self.error.source();
        let causes = std::iter::successors(source, |&cause| cause.source());
        let sentence =
            causes.fold(self.error.to_string(), |text, cause| format!("{text}: {cause}"));
        sentence.replace('\n', " ")
    }
}

impl ConfigErrors {
    /// Everything that is wrong in one line, for a log.
    #[must_use]
    pub fn in_one_line(&self) -> String {
        let said = |problem: &ConfigProblem| match &problem.place {
            Some(Place { source, line, column, .. }) => {
                format!("{source}:{line}:{column}: {}", problem.sentence())
            }
            None => problem.sentence(),
        };
        self.problems.iter().map(said).collect::<Vec<_>>().join("; ")
    }
}

impl Error for ConfigErrors {}

/// Prints everything, each with its line and a caret below.
impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            writeln!(f, "{problem}\n")?;
        }
        match self.problems.len() {
            1 => write!(f, "1 error"),
            count => write!(f, "{count} errors"),
        }
    }
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.sentence())?;
        let Some(Place { source, line, column, width, text }) = &self.place else { return Ok(()) };
        let number = line.to_string();
        let margin = " ".repeat(number.len());
        // Tabs stay tabs, so that the caret stands below what it shows.
        let lead: String =
            text.chars().take(column - 1).map(|c| if c == '\t' { c } else { ' ' }).collect();
        let text: String =
            text.chars().map(|c| if c.is_control() && c != '\t' { '?' } else { c }).collect();
        write!(f, "\n {margin}--> {source}:{line}:{column}\n {margin} |\n {number} | {text}")?;
        write!(f, "\n {margin} | {lead}{}", "^".repeat(*width))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caret_stands_below_what_is_wrong_also_after_tabs_and_wide_letters() {
        let text = "[a]\n\tü = 12 # é\n";
        let start = text.find("12").unwrap();
        let place = Place::of("x.toml".into(), text, &(start..start + 2));
        assert_eq!((place.line, place.column, place.width), (2, 6, 2));
        let error = ConfigError::Set { written: "x".into() };
        let shown = ConfigProblem { error, place: Some(place) }.to_string();
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[1..], ["  --> x.toml:2:6", "   |", " 2 | \tü = 12 # é", "   | \t    ^^"]);
    }

    #[test]
    fn a_place_at_the_end_of_the_text_has_a_caret_too() {
        let place = Place::of("x".into(), "a = ", &(4..4));
        assert_eq!((place.line, place.column, place.width), (1, 5, 1));
        let place = Place::of("x".into(), "", &(9..12));
        assert_eq!((place.line, place.column, place.width), (1, 1, 1));
    }
}
