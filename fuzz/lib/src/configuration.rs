//! What an operator writes: any text gives a configuration, or at least one problem, each in a line of that text.

use std::path::PathBuf;
use std::{fs, process, thread};

use amop_node::{Config, Place};

pub(crate) fn any(data: &[u8]) {
    let file = Scratch::new();
    fs::write(&file.0, data).expect("a file can be written");
    let Err(errors) = Config::from_file(&file.0) else { return };
    assert!(!errors.problems.is_empty(), "it is refused for nothing");
    let lines: Vec<&str> = std::str::from_utf8(data).unwrap_or_default().split('\n').collect();
    for problem in &errors.problems {
        assert!(!problem.sentence().contains('\n'));
        let Some(Place { line, column, width, text, .. }) = &problem.place else { continue };
        assert!(lines[line - 1].starts_with(&**text), "line {line} is another: {text}");
        assert!(*column >= 1 && *width >= 1);
    }
    assert!(!errors.in_one_line().contains('\n'));
    assert!(errors.to_string().ends_with(" error") || errors.to_string().ends_with(" errors"));
}

/// A file that is gone in the end, also after a panic. Each thread has its own.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        let name = format!("amop-fuzz-{}-{:?}.toml", process::id(), thread::current().id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is overwritten next time.
        let _ = fs::remove_file(&self.0);
    }
}
