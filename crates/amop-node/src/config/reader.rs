//! Reads the texts of a configuration and finds everything that is wrong with its keys, in one go.

use std::path::Path;

use toml::Value;
use toml::de::DeTable;

use super::error::ConfigError;
use super::keys::{Absent, Key, REPEATED, is_section, pattern};
use super::problems::{ConfigErrors, ConfigProblem, Place};
use super::tree::{At, Entry, Tree};

/// What was written, and what was found to be wrong with it so far.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) tree: Tree,
    /// The name and the text of the file, then those of each `--set`.
    texts: Vec<(String, String)>,
    problems: Vec<(Option<At>, ConfigError)>,
}

impl Reader {
    /// Reads a file and what is set beside it.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is no TOML. All else is found by [`check`](Self::check).
    pub(crate) fn read(path: &Path, sets: &[String]) -> Result<Self, ConfigErrors> {
        let (file, source) = (path.to_owned(), path.display().to_string());
        let text = std::fs::read_to_string(path).map_err(|source| ConfigErrors {
            file: file.clone(),
            problems: vec![ConfigProblem {
                error: ConfigError::Unreadable { file: file.clone(), key: None, source },
                place: None,
            }],
        })?;
        let mut tree = Tree::default();
        let (table, errors) = DeTable::parse_recoverable(&text);
        let is_toml = errors.is_empty();
        let mut problems: Vec<_> = errors
            .into_iter()
            .map(|error| {
                let at = error.span().map(|span| At { text: 0, span });
                (at, ConfigError::Syntax { message: error.message().to_owned() })
            })
            .collect();
        tree.add("", table.get_ref());
        let mut texts = vec![(source, text.clone())];
        for (number, written) in sets.iter().enumerate() {
            texts.push(("--set".into(), written.clone()));
            if tree.set(number + 1, written).is_err() {
                let at = At { text: number + 1, span: 0..written.len() };
                problems.push((Some(at), ConfigError::Set { written: written.clone() }));
            }
        }
        let reader = Self { tree, texts, problems };
        if is_toml { Ok(reader) } else { Err(reader.errors(path)) }
    }

    /// Looks for keys that are unknown, wrong or missing.
    pub(crate) fn check(&mut self) {
        for (path, at) in self.tree.sections.clone() {
            self.check_section(&path, at);
        }
        for (path, entry) in self.tree.entries.clone() {
            self.check_entry(&path, &entry);
        }
        for key in Key::all() {
            self.check_presence(key);
        }
    }

    fn check_section(&mut self, path: &str, at: At) {
        let pattern = pattern(path);
        let is_repeated = path.ends_with(']');
        let wanted = match (REPEATED.contains(&&*pattern), is_repeated) {
            (true, false) => format!("written as [[{pattern}]], since it may be repeated"),
            (false, true) if is_section(&pattern) => "one section, in single brackets".into(),
            _ if Key::find(path).is_some() => Key::find(path).map(Key::wanted).unwrap_or_default(),
            _ if is_section(&pattern) => return,
            _ => {
                // What lies below an unknown section needs no word of its own.
                let parent = path.rsplit_once('.').map_or("", |(parent, _)| parent);
                if parent.is_empty() || is_section(&self::pattern(parent)) {
                    self.unknown(path, at);
                }
                return;
            }
        };
        self.problems.push((Some(at), ConfigError::Shape { key: path.into(), wanted }));
    }

    fn check_entry(&mut self, path: &str, entry: &Entry) {
        let Some(key) = Key::find(path) else {
            let parent = path.rsplit_once('.').map_or("", |(parent, _)| parent);
            let pattern = pattern(path);
            if REPEATED.contains(&&*pattern) || is_section(&pattern) {
                let wanted = match REPEATED.contains(&&*pattern) {
                    true => format!("written as [[{pattern}]]"),
                    false => format!("a section: [{pattern}]"),
                };
                let at = Some(entry.key_at.clone());
                self.problems.push((at, ConfigError::Shape { key: path.into(), wanted }));
            } else if parent.is_empty() || is_section(&self::pattern(parent)) {
                self.unknown(path, entry.key_at.clone());
            }
            return;
        };
        if let Err(wanted) = key.kind.check(&entry.value) {
            let found = written(&entry.value);
            let at = Some(entry.value_at.clone());
            self.problems.push((at, ConfigError::BadValue { key: path.into(), found, wanted }));
        }
    }

    fn unknown(&mut self, path: &str, at: At) {
        let meant = Key::like(path).map(|key| key.path);
        self.problems.push((Some(at), ConfigError::UnknownKey { key: path.into(), meant }));
    }

    fn check_presence(&mut self, key: &Key) {
        if key.default != Absent::Required {
            return;
        }
        let (section, last) = key.path.rsplit_once('.').expect("every key lies in a section");
        let within: Vec<(String, Option<At>)> = match REPEATED.contains(&section) {
            true => self.sections_of(section),
            false => vec![(section.to_owned(), self.tree.sections.get(section).cloned())],
        };
        for (section, at) in within {
            let path = format!("{section}.{last}");
            if !self.tree.entries.contains_key(&path) && !self.tree.sections.contains_key(&path) {
                let wanted = key.wanted();
                self.problems.push((at, ConfigError::Missing { key: path, wanted }));
            }
        }
    }

    /// All sections of this repeated kind.
    fn sections_of(&self, kind: &str) -> Vec<(String, Option<At>)> {
        let sections = self.tree.sections.iter();
        sections
            .filter(|(path, _)| path.ends_with(']') && pattern(path) == kind)
            .map(|(path, at)| (path.clone(), Some(at.clone())))
            .collect()
    }

    /// How many sections of this repeated kind there are, numbered from 0.
    pub(crate) fn count_of(&self, kind: &str) -> usize {
        self.sections_of(kind).len()
    }

    /// Whether this key has nothing wrong with it.
    pub(crate) fn is_good(&self, path: &str) -> bool {
        let Some(entry) = self.tree.entries.get(path) else { return true };
        let places = [Some(&entry.key_at), Some(&entry.value_at)];
        !self.problems.iter().any(|(at, _)| places.contains(&at.as_ref()))
    }

    /// Notes what is wrong with the value of a key.
    pub(crate) fn wrong(&mut self, path: &str, error: ConfigError) {
        let at = self.tree.entries.get(path).map(|entry| entry.value_at.clone());
        self.problems.push((at, error));
    }

    /// Where a key was written.
    pub(crate) fn place_of(&self, path: &str) -> Option<Place> {
        self.tree.entries.get(path).map(|entry| self.place(&entry.key_at))
    }

    fn place(&self, at: &At) -> Place {
        let (source, text) = &self.texts[at.text];
        Place::of(source.clone(), text, &at.span)
    }

    /// All that is wrong, if anything is.
    pub(crate) fn finish(self, path: &Path) -> Result<(), ConfigErrors> {
        if self.problems.is_empty() { Ok(()) } else { Err(self.errors(path)) }
    }

    fn errors(mut self, path: &Path) -> ConfigErrors {
        let mut problems = std::mem::take(&mut self.problems);
        problems.sort_by_key(|(at, _)| at.as_ref().map(|at| (at.text, at.span.start)));
        let told = |(at, error): (Option<At>, _)| ConfigProblem {
            error,
            place: at.map(|at| self.place(&at)),
        };
        ConfigErrors { file: path.to_owned(), problems: problems.into_iter().map(told).collect() }
    }
}

/// A value as it would be written in the file.
pub(crate) fn written(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{text:?}"),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Boolean(bool) => bool.to_string(),
        Value::Datetime(time) => time.to_string(),
        Value::Array(list) => {
            format!("[{}]", list.iter().map(written).collect::<Vec<_>>().join(", "))
        }
        Value::Table(_) => "a table".into(),
    }
}
