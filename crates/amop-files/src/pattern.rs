//! Patterns of file names: `*` is any text, also none, and `?` any one character.

use std::fmt;
use std::str::FromStr;

/// A pattern that a whole name matches or not, with upper and lower case apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pattern(Vec<char>);

impl Pattern {
    /// Whether the whole name matches. Takes at most the product of both lengths.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let (pattern, name) = (&self.0, name.chars().collect::<Vec<_>>());
        let (mut at, mut in_name) = (0, 0);
        // Where the last star stands, and what of the name it has taken so far: one more on each failure.
        let mut star = None;
        while in_name < name.len() {
            match pattern.get(at) {
                Some('*') => {
                    star = Some((at, in_name));
                    at += 1;
                }
                Some(&char) if char == '?' || char == name[in_name] => {
                    at += 1;
                    in_name += 1;
                }
                _ => {
                    let Some((star_at, taken)) = star else { return false };
                    star = Some((star_at, taken + 1));
                    (at, in_name) = (star_at + 1, taken + 1);
                }
            }
        }
        pattern[at..].iter().all(|&char| char == '*')
    }
}

/// Any text is a pattern.
impl FromStr for Pattern {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.chars().collect()))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|char| write!(f, "{char}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(pattern: &str, name: &str) -> bool {
        pattern.parse::<Pattern>().unwrap().matches(name)
    }

    #[test]
    fn stars_and_question_marks_stand_for_what_they_say() {
        for (pattern, name) in [
            ("*.csv", "a.csv"),
            ("*", ""),
            ("a?c", "aéc"),
            ("*a*b", "xaxbxb"),
            ("", ""),
            ("a**", "a"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in
            [("*.csv", "a.csv.exe"), ("a?c", "ac"), ("", "a"), ("*a*b", "ba"), ("A", "a")]
        {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    proptest! {
        /// A naive twin: a star takes nothing, or one character and may take more.
        #[test]
        fn it_says_what_a_naive_search_says(pattern in "[ab*?]{0,8}", name in "[ab]{0,8}") {
            fn naive(pattern: &[u8], name: &[u8]) -> bool {
                match (pattern.split_first(), name.split_first()) {
                    (None, rest) => rest.is_none(),
                    (Some((b'*', after)), rest) => {
                        naive(after, name) || rest.is_some_and(|(_, rest)| naive(pattern, rest))
                    }
                    (Some((char, after)), Some((first, rest))) => {
                        (*char == b'?' || char == first) && naive(after, rest)
                    }
                    (Some(_), None) => false,
                }
            }
            prop_assert_eq!(matches(&pattern, &name), naive(pattern.as_bytes(), name.as_bytes()));
        }
    }
}
