//! Somebody who does what a page says, and looks whether it is true.

use std::fs;

use tempfile::TempDir;

use crate::build;
use crate::page::{Step, steps};
use crate::ports::Ports;
use crate::seen::{is_as_said, lines, lines_of};
use crate::terminal::Terminal;

/// One who has begun.
pub(crate) struct Newcomer {
    page: &'static str,
    ports: Ports,
    path: String,
    /// The first terminal, then those that were opened beside it. They end before their directory does.
    terminals: Vec<Terminal>,
    /// Where the next command is typed.
    at: usize,
    dir: TempDir,
}

impl Newcomer {
    /// Follows a page to its end.
    ///
    /// # Panics
    ///
    /// If anything is not as the page says.
    pub(crate) fn follows(page: &'static str, markdown: &str) {
        let programs = [env!("CARGO_BIN_EXE_amop").as_ref(), build::daemon()];
        let dirs = programs.map(|program| program.parent().unwrap().display().to_string());
        let path = format!("{}:{}:{}", dirs[0], dirs[1], std::env::var("PATH").unwrap());
        let dir = tempfile::tempdir().unwrap();
        let terminals = vec![Terminal::open(dir.path(), &path)];
        let mut newcomer = Self { page, ports: Ports::of(markdown), path, terminals, at: 0, dir };
        let steps = steps(markdown);
        assert!(steps.len() > 5, "{page} is to be followed");
        for step in &steps {
            newcomer.does(step);
        }
    }

    fn does(&mut self, step: &Step) {
        match step {
            Step::Open => {
                self.at = self.terminals.len();
                self.terminals.push(Terminal::open(self.dir.path(), &self.path));
            }
            Step::Return => self.at = 0,
            Step::Type { command, shows, stays: true } => {
                let typed = self.ports.to_type(command);
                self.terminals[self.at].begin(&typed);
                self.sees(command, shows);
            }
            Step::Type { command, shows, stays: false } => self.runs(command, shows),
            Step::Shows(shows) => {
                self.at = self.terminals.len() - 1;
                self.sees("the terminal that was opened last", shows);
                self.at = 0;
            }
            Step::Write { path, text } => {
                let path = self.terminals[0].dir().join(path);
                fs::write(path, self.ports.to_type(text)).unwrap();
            }
        }
    }

    fn runs(&mut self, command: &str, shows: &[String]) {
        let ran = self.terminals[self.at].run(&self.ports.to_type(command));
        let seen = lines(&self.ports.as_said(&ran.seen));
        let (page, said) = (self.page, shows.join("\n"));
        let tells_failure = |line: &String| line.starts_with("error") || line.contains(" broken ");
        let is_failure = shows.iter().any(tells_failure);
        assert!(
            is_as_said(shows, &seen) && (ran.exit_code != 0) == is_failure,
            "{page}: $ {command}\nthe page says:\n{said}\nseen, with exit code {}:\n{}",
            ran.exit_code,
            seen.join("\n")
        );
    }

    fn sees(&mut self, what: &str, shows: &[String]) {
        let ports = self.ports.clone();
        let enough = |came: &str| lines_of(shows, &lines(&ports.as_said(came)));
        if let Err(why) = self.terminals[self.at].wait_for(enough) {
            panic!("{}: {what}\nthe page says:\n{}\n{why}", self.page, shows.join("\n"));
        }
    }
}
