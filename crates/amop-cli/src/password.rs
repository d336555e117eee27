//! Passwords of keys, of authorities and of private topics: from a file that only its owner can read, or typed without being seen.
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

use crate::errors::kind;
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
    match file {
        Some(file) => from_file(file),
        None => Terminal::open(key)?.ask_twice(key),
    }
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
        Failure::new(Exit::NO_INPUT, kind!("unreadable"), sentence).because(&error)
    };
    let file = File::open(path).map_err(unreadable)?;
    let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o777;
    // A pipe is nobody else's, whatever its mode.
    if mode & 0o077 != 0 && file.metadata().is_ok_and(|metadata| metadata.is_file()) {
        let sentence = format!("{} can be read by others (mode {mode:o})", path.display());
        let mend = format!("run `chmod 600 {}`", path.display());
        return Err(Failure::new(Exit::NOT_PERMITTED, kind!("open-password"), sentence).next(mend));
    }
    not_empty(first_line(&mut BufReader::new(file)).map_err(unreadable)?)
}

fn not_empty(password: Zeroizing<String>) -> Result<Zeroizing<String>, Failure> {
    match password.is_empty() {
        false => Ok(password),
        true => Err(Failure::new(Exit::USAGE, kind!("empty-password"), "the password is empty")
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
            Failure::new(Exit::USAGE, kind!("no-terminal"), sentence)
                .because(&error)
                .next("give it with --password-file")
        })
    }

    fn ask_twice(&mut self, key: &Path) -> Result<Zeroizing<String>, Failure> {
        let first = self.ask(&format!("new password for {}: ", key.display()))?;
        if first == self.ask("again: ")? {
            return not_empty(first);
        }
        Err(Failure::new(Exit::USAGE, kind!("passwords-differ"), "the two passwords differ"))
    }

    fn ask(&mut self, what: &str) -> Result<Zeroizing<String>, Failure> {
        let failed = |error: std::io::Error| {
            Failure::new(Exit::IO, kind!("terminal"), "cannot use the terminal").because(&error)
        };
        let modes = tcgetattr(self.0.as_fd()).map_err(|error| failed(error.into()))?;
        let mut silent = modes.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        *SILENCED.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((self.0.try_clone().map_err(failed)?, modes.clone()));
        tcsetattr(self.0.as_fd(), OptionalActions::Flush, &silent)
            .map_err(|error| failed(error.into()))?;
        let answer = write!(self.0, "{what}")
            .and_then(|()| first_line(&mut BufReader::new(self.0.try_clone()?)));
        SILENCED.lock().unwrap_or_else(PoisonError::into_inner).take();
        // If the terminal is gone, nobody types there.
        let _ = tcsetattr(self.0.as_fd(), OptionalActions::Flush, &modes);
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
    use std::io::Read;
    use std::os::unix::fs::OpenOptionsExt;
    use std::thread;

    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

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

    /// A terminal with somebody at the keyboard, who types these lines, each once it is asked for.
    fn typed<T>(lines: &[&str], ask: impl FnOnce(&mut Terminal) -> T) -> (T, String) {
        let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&keyboard).unwrap();
        unlockpt(&keyboard).unwrap();
        let name = ptsname(&keyboard, Vec::new()).unwrap().into_string().unwrap();
        let flags = i32::try_from(rustix::fs::OFlags::NOCTTY.bits()).unwrap();
        let open = || File::options().read(true).write(true).custom_flags(flags).open(&name);
        let mut terminal = Terminal(open().unwrap());
        let modes = |terminal: &Terminal| tcgetattr(terminal.0.as_fd()).unwrap().local_modes;
        let before = modes(&terminal);
        assert!(before.contains(LocalModes::ECHO));
        let mut keyboard = File::from(keyboard);
        let lines: Vec<String> = lines.iter().map(|line| format!("{line}\n")).collect();
        let somebody = thread::spawn(move || {
            let mut shown = Vec::new();
            let mut read_until = |keyboard: &mut File, end: &[u8]| {
                while !shown.ends_with(end) {
                    let mut byte = [0];
                    keyboard.read_exact(&mut byte).unwrap();
                    shown.extend(byte);
                }
            };
            for line in lines {
                read_until(&mut keyboard, b": ");
                keyboard.write_all(line.as_bytes()).unwrap();
                read_until(&mut keyboard, b"\n");
            }
            (String::from_utf8(shown).unwrap(), keyboard)
        });
        let asked = ask(&mut terminal);
        let (shown, _keyboard) = somebody.join().unwrap();
        assert_eq!(modes(&terminal), before, "it shows again what is typed");
        (asked, shown)
    }

    #[test]
    fn what_is_typed_is_read_and_never_shown() {
        let (asked, shown) = typed(&["päss word "], |terminal| terminal.ask("password of k: "));
        assert_eq!(*asked.unwrap(), "päss word ");
        assert_eq!(shown, "password of k: \r\n");
    }

    #[test]
    fn a_new_password_is_typed_twice_alike_and_is_not_empty() {
        let chosen = |lines: &[&str]| {
            let (chosen, shown) = typed(lines, |terminal| terminal.ask_twice(Path::new("k")));
            assert_eq!(shown, "new password for k: \r\nagain: \r\n");
            chosen.map(|password| password.to_string())
        };
        assert_eq!(chosen(&["secret", "secret"]).unwrap(), "secret");
        chosen(&["secret", "Secret"]).unwrap_err();
        chosen(&["", ""]).unwrap_err();
    }
}
