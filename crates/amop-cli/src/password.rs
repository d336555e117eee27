//! Passwords of authorities' keys: from a file that only its owner can read, or typed without being seen.
//!
//! Never from the command line or the environment, which other processes can see. A command that is
//! interrupted while somebody types must not leave the terminal silent: [`restore_terminal`] mends that.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::exit::{Exit, Failure};

/// Gets the password of a key that exists.
pub(crate) fn existing(file: Option<&Path>, key: &Path) -> Result<Zeroizing<String>, Failure> {
    match file {
        Some(file) => from_file(file),
        None => Terminal::open(key)?.ask(&format!("password of {}: ", key.display())),
    }
}

/// Gets the password for a key that is being made: typed twice.
pub(crate) fn new(file: Option<&Path>, key: &Path) -> Result<Zeroizing<String>, Failure> {
    let Some(file) = file else {
        let mut terminal = Terminal::open(key)?;
        let first = terminal.ask(&format!("new password for {}: ", key.display()))?;
        let second = terminal.ask("again: ")?;
        return if first == second {
            not_empty(first)
        } else {
            Err(Failure::new(Exit::USAGE, "passwords-differ", "the two passwords differ"))
        };
    };
    from_file(file)
}

/// Shows again what is typed, if a command was interrupted while it asked for a password.
pub(crate) fn restore_terminal() {
    let silenced = SILENCED.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some((terminal, modes)) = silenced {
        // If the terminal is gone, nobody types there.
        let _ = tcsetattr(terminal.as_fd(), OptionalActions::Flush, &modes);
    }
}

fn from_file(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let unreadable = |error: std::io::Error| {
        let sentence = format!("cannot read the password in {}", path.display());
        Failure::new(Exit::NO_INPUT, "unreadable", sentence).because(&error)
    };
    let file = File::open(path).map_err(unreadable)?;
    let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o777;
    // A pipe is nobody else's, whatever its mode.
    if mode & 0o077 != 0 && file.metadata().is_ok_and(|metadata| metadata.is_file()) {
        let sentence = format!("{} can be read by others (mode {mode:o})", path.display());
        let mend = format!("run `chmod 600 {}`", path.display());
        return Err(Failure::new(Exit::NOT_PERMITTED, "open-password", sentence).next(mend));
    }
    not_empty(first_line(&mut BufReader::new(file)).map_err(unreadable)?)
}

fn not_empty(password: Zeroizing<String>) -> Result<Zeroizing<String>, Failure> {
    match password.is_empty() {
        false => Ok(password),
        true => Err(Failure::new(Exit::USAGE, "empty-password", "the password is empty")
            .next("with --unencrypted the key is written without one")),
    }
}

fn first_line(from: &mut impl BufRead) -> std::io::Result<Zeroizing<String>> {
    // Room for every password, so that no piece of it is left behind where the string was before.
    let mut line = Zeroizing::new(String::with_capacity(4096));
    from.read_line(&mut line)?;
    let end = line.trim_end_matches(['\r', '\n']).len();
    line.truncate(end);
    Ok(line)
}

/// The terminal of whoever called the tool, wherever its input and output go.
struct Terminal(File);

impl Terminal {
    fn open(key: &Path) -> Result<Self, Failure> {
        let tty = File::options().read(true).write(true).open("/dev/tty");
        tty.map(Self).map_err(|error| {
            let sentence = format!("nobody can be asked for the password of {}", key.display());
            Failure::new(Exit::USAGE, "no-terminal", sentence)
                .because(&error)
                .next("give it with --password-file")
        })
    }

    fn ask(&mut self, what: &str) -> Result<Zeroizing<String>, Failure> {
        let failed = |error: std::io::Error| {
            Failure::new(Exit::IO, "terminal", "cannot use the terminal").because(&error)
        };
        let modes = tcgetattr(self.0.as_fd()).map_err(|error| failed(error.into()))?;
        let mut silent = modes.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        *SILENCED.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((self.0.try_clone().map_err(failed)?, modes));
        tcsetattr(self.0.as_fd(), OptionalActions::Flush, &silent)
            .map_err(|error| failed(error.into()))?;
        let answer = write!(self.0, "{what}")
            .and_then(|()| first_line(&mut BufReader::new(self.0.try_clone()?)));
        restore_terminal();
        // The line feed that was typed is not seen either.
        let _ = writeln!(self.0);
        answer.map_err(failed)
    }
}

/// A terminal that does not show what is typed, and how it was before.
static SILENCED: Mutex<Option<(File, Termios)>> = Mutex::new(None);

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_password_is_the_first_line_of_a_file_that_nobody_else_can_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("password");
        fs::write(&path, "päss word \r\nmore\n").unwrap();
        let read = |mode| {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            from_file(&path)
        };
        assert_eq!(*read(0o600).unwrap(), "päss word ");
        for mode in [0o640, 0o604] {
            read(mode).unwrap_err();
        }
        fs::write(&path, "\nsecret\n").unwrap();
        read(0o600).unwrap_err();
    }
}
