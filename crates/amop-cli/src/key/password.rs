//! Passwords: from a file, or typed on the terminal without being seen.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use zeroize::Zeroizing;

use crate::exit::{Exit, Failure};

/// A password, overwritten when it is dropped.
pub(crate) struct Password(Zeroizing<String>);

impl Password {
    /// The password of a key that exists.
    pub(crate) fn of_existing(file: Option<&Path>, what: &str) -> Result<Self, Failure> {
        match file {
            Some(file) => Self::read(file),
            None => Self::ask(&format!("Password of {what}: ")),
        }
    }

    /// The password of a key that is to be made, asked for twice.
    pub(crate) fn of_new(file: Option<&Path>) -> Result<Self, Failure> {
        let password = match file {
            Some(file) => Self::read(file)?,
            None => {
                let password = Self::ask("New password: ")?;
                if *Self::ask("The same again: ")?.0 != *password.0 {
                    let sentence = "the two passwords differ";
                    return Err(Failure::new(Exit::USAGE, "passwords-differ", sentence));
                }
                password
            }
        };
        if password.0.is_empty() {
            let sentence = "an empty password protects nothing";
            return Err(Failure::new(Exit::USAGE, "no-password", sentence));
        }
        Ok(password)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// The first line of a file.
    fn read(file: &Path) -> Result<Self, Failure> {
        let text = fs::read_to_string(file).map(Zeroizing::new).map_err(|error| {
            let sentence = format!("cannot read {}", file.display());
            Failure::new(Exit::NO_INPUT, "no-file", sentence).because(&error)
        })?;
        Ok(Self(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned())))
    }

    fn ask(question: &str) -> Result<Self, Failure> {
        let no_terminal = |error: std::io::Error| {
            Failure::new(Exit::USAGE, "no-password", "there is no terminal to ask on")
                .because(&error)
                .next("name a file with --password-file")
        };
        let mut terminal = File::options().read(true).write(true).open(TERMINAL);
        let terminal = terminal.as_mut().map_err(|error| no_terminal(error.kind().into()))?;
        terminal.write_all(question.as_bytes()).map_err(no_terminal)?;
        let silence = Silence::begin().map_err(no_terminal)?;
        let mut line = Zeroizing::new(String::new());
        let read = BufReader::new(&mut *terminal).read_line(&mut line);
        drop(silence);
        // Whether the line break is seen matters to nobody.
        let _ = terminal.write_all(b"\n");
        read.map_err(no_terminal)?;
        Ok(Self(Zeroizing::new(line.trim_end_matches(['\r', '\n']).to_owned())))
    }
}

/// While it lives, the terminal does not show what is typed.
struct Silence;

impl Silence {
    fn begin() -> std::io::Result<Self> {
        if stty("-echo")?.success() {
            return Ok(Self);
        }
        Err(std::io::Error::other("`stty` cannot hide what is typed"))
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        let _ = stty("echo"); // There is nobody left to tell.
    }
}

fn stty(setting: &str) -> std::io::Result<std::process::ExitStatus> {
    let terminal = Stdio::from(File::open(TERMINAL)?);
    Command::new("stty").arg(setting).stdin(terminal).status()
}

const TERMINAL: &str = "/dev/tty";
