//! Applies small patches by what they say, not by where: line numbers are ignored.
//!
//! The lines that a hunk takes away or keeps must stand in the file exactly once, so a patch still
//! applies when the code around it has moved, and fails when what it changes has changed.

use anyhow::{Context, Result, ensure};

/// A patch in the unified format; what stands before its first file says what it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Patch {
    pub(super) about: String,
    hunks: Vec<Hunk>,
}

#[derive(Debug, PartialEq, Eq)]
struct Hunk {
    path: String,
    old: String,
    new: String,
}

impl Patch {
    /// Reads a patch.
    ///
    /// # Errors
    ///
    /// Fails when it says nothing about itself, or changes nothing.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let mut hunks = Vec::<Hunk>::new();
        let (mut about, mut path) = (String::new(), String::new());
        for line in text.lines() {
            let in_hunk = hunks.last_mut().filter(|hunk| hunk.path == path);
            if line.starts_with("--- ") {
                path.clear();
            } else if let Some(name) = line.strip_prefix("+++ b/") {
                path = name.to_owned();
            } else if line.starts_with("@@") {
                let hunk = Hunk { path: path.clone(), old: String::new(), new: String::new() };
                hunks.push(hunk);
            } else if let Some(hunk) = in_hunk {
                hunk.take(line);
            } else if hunks.is_empty() {
                about.push_str(line);
                about.push(' ');
            }
        }
        let about = about.trim().to_owned();
        ensure!(!about.is_empty(), "the patch says nothing about itself");
        ensure!(!hunks.is_empty(), "the patch changes nothing");
        Ok(Self { about, hunks })
    }

    /// Changes files: asks `read` for the text of each and answers what they become, by path.
    ///
    /// # Errors
    ///
    /// Fails when a file cannot be read, or what the patch changes is not there exactly once.
    pub(super) fn apply(
        &self,
        read: impl Fn(&str) -> Result<String>,
    ) -> Result<Vec<(String, String)>> {
        let mut changed = Vec::<(String, String)>::new();
        for Hunk { path, old, new } in &self.hunks {
            let known = changed.iter().position(|(other, _)| other == path);
            let index = match known {
                Some(index) => index,
                None => {
                    changed.push((path.clone(), read(path).context("the patch names no file")?));
                    changed.len() - 1
                }
            };
            let text = &mut changed[index].1;
            let count = text.matches(old.as_str()).count();
            ensure!(count == 1, "no longer applies: {path} has these lines {count} times:\n{old}");
            *text = text.replacen(old.as_str(), new, 1);
        }
        Ok(changed)
    }
}

impl Hunk {
    fn take(&mut self, line: &str) {
        let (kind, rest) = line.split_at_checked(1).unwrap_or((" ", ""));
        if kind != "+" {
            self.old.push_str(rest);
            self.old.push('\n');
        }
        if kind != "-" {
            self.new.push_str(rest);
            self.new.push('\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Patch;

    const PATCH: &str = "Nothing counts.\n--- a/x.rs\n+++ b/x.rs\n@@ -1,3 +1,3 @@\n fn f() {\n-    \
                         1\n+    2\n }\n";

    fn apply(text: &str) -> Result<Vec<(String, String)>, String> {
        let patch = Patch::parse(PATCH).unwrap();
        patch.apply(|_| Ok(text.to_owned())).map_err(|error| error.to_string())
    }

    #[test]
    fn a_patch_applies_wherever_its_lines_stand() {
        assert_eq!(Patch::parse(PATCH).unwrap().about, "Nothing counts.");
        let text = "fn g() {}\n\nfn f() {\n    1\n}\n";
        let expected = ("x.rs".to_owned(), text.replace('1', "2"));
        assert_eq!(apply(text), Ok(vec![expected]));
    }

    #[test]
    fn a_patch_whose_lines_have_changed_or_are_there_twice_is_an_error() {
        let text = "fn f() {\n    1\n}\n";
        for text in ["fn f() {\n    3\n}\n".to_owned(), text.repeat(2)] {
            assert!(apply(&text).unwrap_err().contains("no longer applies: x.rs"));
        }
    }

    #[test]
    fn what_is_no_patch_is_an_error() {
        for text in ["", "only words", "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n"] {
            assert!(Patch::parse(text).is_err(), "{text}");
        }
    }
}
