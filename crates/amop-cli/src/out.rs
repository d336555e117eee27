//! Writes: the answer to standard output, everything else to standard error.
//!
//! `println!` panics once the reader of a pipe has gone; `amop sub quote | head -1` is a normal way
//! to use the tool. So all output goes through [`Out`], whose methods end the command quietly then:
//! they return [`Failure::ClosedPipe`], which is passed up like any other failure.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;

use rustix::termios::tcgetwinsize;
use serde::Serialize;
use tokio::io::Interest;
use tokio::net::unix::pipe;
use tokio::task::block_in_place;

use crate::errors::Lang;
use crate::errors::kind;
use crate::exit::{Exit, Failure};

/// How long a line of a terminal is that does not say it.
const COLUMNS: usize = 80;

/// Where a command writes to.
#[derive(Debug)]
pub(crate) struct Out {
    json: bool,
    lang: Lang,
    terminal: bool,
    styled: bool,
}

impl Out {
    /// Writes to this process's standard output and error; objects if `json`.
    pub(crate) fn new(json: bool, lang: Lang) -> Self {
        let terminal = io::stdout().is_terminal();
        let styled = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { json, lang, terminal, styled }
    }

    /// In which language errors are explained.
    pub(crate) fn lang(&self) -> Lang {
        self.lang
    }

    /// Whether the answer is for a program.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Whether somebody looks at the answer directly.
    pub(crate) fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Writes bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        // Whoever reads may let us wait; the client's other tasks must not wait with us.
        let written = block_in_place(|| {
            let mut stdout = io::stdout().lock();
            stdout.write_all(bytes).and_then(|()| stdout.flush())
        });
        written.map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::ClosedPipe,
            _ => Failure::new(Exit::IO, kind!("output"), "cannot write to standard output")
                .because(&error),
        })
    }

    /// Writes one line.
    pub(crate) fn line(&mut self, text: impl Display) -> Result<(), Failure> {
        self.bytes(format!("{text}\n").as_bytes())
    }

    /// Writes one object as one line.
    pub(crate) fn json(&mut self, object: &impl Serialize) -> Result<(), Failure> {
        self.line(serde_json::to_string(object).expect("our objects have only string keys"))
    }

    /// Tells people what a script would rather not have in its log: nothing unless somebody looks.
    pub(crate) fn aside(&self, text: impl Display) {
        if io::stderr().is_terminal() {
            self.note(text);
        }
    }

    /// Tells people something beside the answer.
    pub(crate) fn note(&self, text: impl Display) {
        // Nobody is there to hear that standard error is closed.
        let _ = writeln!(io::stderr(), "{}{text}", self.erase());
    }

    /// Whether somebody looks at a line that can be drawn again.
    pub(crate) fn can_redraw(&self) -> bool {
        !self.json && io::stderr().is_terminal()
    }

    /// Draws the line again that is under way; an empty one goes. It is cut where the terminal would break it, since
    /// its beginning would stay then.
    pub(crate) fn redraw(&self, text: impl Display) {
        let line: String = text.to_string().chars().take(columns(io::stderr())).collect();
        let mut stderr = io::stderr();
        // Nobody is there to hear that standard error is closed.
        let _ = write!(stderr, "{}{line}", self.erase()).and_then(|()| stderr.flush());
    }

    /// Takes back the line that is under way: what follows is the answer.
    pub(crate) fn end_line(&self) {
        if self.can_redraw() {
            self.redraw("");
        }
    }

    /// What takes back a line that may be under way.
    fn erase(&self) -> &'static str {
        if self.can_redraw() { "\r\x1b[2K" } else { "" }
    }

    /// Makes a text less prominent, if it goes to a terminal that may be styled.
    pub(crate) fn dim(&self, text: impl Display) -> String {
        if self.styled { format!("\x1b[2m{text}\x1b[0m") } else { text.to_string() }
    }

    /// Waits until the reader of standard output is gone; for ever if it is no pipe.
    ///
    /// Without it, a command that waits for messages would learn of it only at the next one.
    pub(crate) async fn reader_gone() {
        let watched = io::stdout().as_fd().try_clone_to_owned().map(File::from);
        let watched = watched.and_then(|stdout| match stdout.metadata()?.file_type().is_fifo() {
            // It is only watched, so whether writing to it may block makes no difference.
            true => pipe::Sender::from_file_unchecked(stdout),
            false => Err(io::ErrorKind::Unsupported.into()),
        });
        let Ok(watched) = watched else { return std::future::pending().await };
        if watched.ready(Interest::ERROR).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// How many characters a line of a terminal has.
fn columns(terminal: impl AsFd) -> usize {
    match tcgetwinsize(terminal) {
        Ok(size) if size.ws_col > 0 => size.ws_col.into(),
        _ => COLUMNS,
    }
}

#[cfg(test)]
mod tests {
    use rustix::pty::{OpenptFlags, openpt};
    use rustix::termios::{Winsize, tcsetwinsize};

    use super::*;

    #[test]
    fn a_line_is_as_long_as_the_terminal_says_or_eighty_characters() {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        assert_eq!(columns(&terminal), COLUMNS, "it does not know");
        let narrow = Winsize { ws_row: 24, ws_col: 33, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&terminal, narrow).unwrap();
        assert_eq!(columns(&terminal), 33);
        assert_eq!(columns(File::open("/dev/null").unwrap()), COLUMNS, "it is no terminal");
    }
}
