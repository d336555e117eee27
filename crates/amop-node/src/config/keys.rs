//! Every key that `amop.toml` may have: what it takes, what it is if it is left out, and from when on it counts.
//!
//! This list is what files are checked against, what `amop config explain` tells, and what the table in
//! `docs/OPERATIONS.md` is held to by a test.

mod list;

use super::kind::Kind;
use list::KEYS;

/// A key of the configuration file.
#[derive(Debug)]
pub struct Key {
    /// Its path, such as `p2p.listen`. In a section that may be repeated, without the number.
    pub path: &'static str,
    /// What it takes.
    pub(crate) kind: Kind,
    /// What counts if it is left out.
    pub default: Absent,
    /// From when on a change counts.
    pub when: When,
    /// What it is for.
    pub meaning: &'static str,
}

/// What counts if a key is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// It must not be left out.
    Required,
    /// This value, as it would be written in the file.
    Value(&'static str),
    /// What these words say.
    Meaning(&'static str),
}

/// From when on a change of a key counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// From the next time that the node reads its configuration, while it runs.
    Reload,
    /// From the next start of the node.
    Start,
}

impl Key {
    /// All keys, in the order of the documentation.
    #[must_use]
    pub fn all() -> &'static [Self] {
        KEYS
    }

    /// The key with this path; numbers of repeated sections (`p2p.peer[1].name`) do not matter.
    #[must_use]
    pub fn find(path: &str) -> Option<&'static Self> {
        let pattern = pattern(path);
        KEYS.iter().find(|key| key.path == pattern)
    }

    /// The key that somebody may have meant by this path.
    #[must_use]
    pub fn like(path: &str) -> Option<&'static Self> {
        let pattern = pattern(path);
        let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
        let distance = |key: &Self| strsim::damerau_levenshtein(key.path, &pattern);
        let is_near = |key: &&Self| distance(key) <= 2 + pattern.len() / 12;
        let nearest = KEYS.iter().filter(is_near).min_by_key(|key| distance(key));
        nearest.or_else(|| KEYS.iter().find(|key| last(key.path) == last(&pattern)))
    }

    /// What it takes, in words that follow "should be".
    #[must_use]
    pub fn wanted(&self) -> String {
        self.kind.wanted()
    }
}

/// A path without the numbers of repeated sections.
pub(crate) fn pattern(path: &str) -> String {
    let mut pattern = String::with_capacity(path.len());
    let mut is_number = false;
    for char in path.chars() {
        match char {
            '[' => is_number = true,
            ']' => is_number = false,
            _ if is_number => {}
            _ => pattern.push(char),
        }
    }
    pattern
}

/// Sections that may be repeated, each written as `[[section]]`.
pub(crate) const REPEATED: &[&str] = &["p2p.peer", "acl"];

/// Whether a path is that of a section that some key lies in.
pub(crate) fn is_section(path: &str) -> bool {
    let within = |key: &Key| key.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
    KEYS.iter().any(within)
}

#[cfg(test)]
mod tests {
    use super::Absent::Value;
    use super::*;

    #[test]
    fn a_key_that_is_nearly_right_is_recognised() {
        let like = |path| Key::like(path).map(|key| key.path);
        assert_eq!(like("node.nmae"), Some("node.name"));
        assert_eq!(like("p2p.peer[3].addrs"), Some("p2p.peer.addr"));
        assert_eq!(like("tls.state_dir"), Some("node.state_dir"), "in another section");
        assert_eq!(like("colour.of_the_sky"), None);
    }

    #[test]
    fn every_default_is_a_value_that_its_key_takes() {
        for key in Key::all() {
            if let Value(text) = key.default {
                let value = text.parse::<toml::Value>().unwrap();
                assert_eq!(key.kind.check(&value), Ok(()), "{}", key.path);
            }
        }
    }
}
