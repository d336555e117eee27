//! A shell on a terminal, with somebody at the keyboard.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use rustix::fs::OFlags;
use rustix::process::{Pid, Signal, kill_process_group};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::tcgetpgrp;

use crate::seen::lines;

/// A terminal whose shell runs in a directory.
pub(crate) struct Terminal {
    shell: Child,
    keyboard: File,
    screen: Receiver<Vec<u8>>,
    /// What came and nobody has looked at.
    came: String,
}

/// What was seen of a command.
pub(crate) struct Ran {
    pub(crate) seen: String,
    pub(crate) exit_code: i32,
}

impl Terminal {
    /// Opens a terminal in a directory; the programs in `path` are found first.
    pub(crate) fn open(dir: &Path, path: &str) -> Self {
        let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&keyboard).unwrap();
        unlockpt(&keyboard).unwrap();
        let name = ptsname(&keyboard, Vec::new()).unwrap().into_string().unwrap();
        let flags = i32::try_from(OFlags::NOCTTY.bits()).unwrap();
        let open = || File::options().read(true).write(true).custom_flags(flags).open(&name);
        let mut command = Command::new("setsid");
        command.args(["--ctty", "sh"]).current_dir(dir);
        command.stdin(open().unwrap()).stdout(open().unwrap()).stderr(open().unwrap());
        command.env_clear().env("PATH", path).env("HOME", dir).env("LANG", "C.UTF-8");
        command.env("TERM", "dumb").env("PS1", "").env("PS2", "");
        let shell = command.spawn().unwrap();
        drop(command); // Else the terminal would stay open when the shell is gone.
        let keyboard = File::from(keyboard);
        let screen = watch(keyboard.try_clone().unwrap());
        let mut terminal = Self { shell, keyboard, screen, came: String::new() };
        // What is typed must not be taken for what is answered.
        terminal.run("stty -echo; PS1= PS2=");
        terminal
    }

    /// Types a command and waits for its end; answers what it asks.
    pub(crate) fn run(&mut self, command: &str) -> Ran {
        self.came.clear();
        self.press(&format!("{{ {command}\n}}; printf '\\036%d\\036' $?\n"));
        let mut answered = 0;
        loop {
            if let Some((seen, rest)) = self.came.split_once(MARK)
                && let Some((code, _)) = rest.split_once(MARK)
            {
                let (seen, exit_code) = (seen.to_owned(), code.parse().unwrap());
                self.came.clear();
                return Ran { seen, exit_code };
            }
            if let Some(answer) = answer_to(&self.came[answered..]) {
                self.press(answer);
                if answer != PASSWORD {
                    self.came += answer;
                }
                answered = self.came.len();
            }
            if let Err(why) = self.look() {
                panic!("`{command}` did not end ({why}); seen so far:\n{}", self.came);
            }
        }
    }

    /// Types a command that stays.
    pub(crate) fn begin(&mut self, command: &str) {
        self.came.clear();
        self.press(&format!("{command}\n"));
    }

    /// Waits until the first lines that came are enough: so many, as `lines_of` says. What comes after them is kept.
    pub(crate) fn wait_for(
        &mut self,
        lines_of: impl Fn(&str) -> Option<usize>,
    ) -> Result<(), String> {
        loop {
            let whole = self.came.rfind('\n').map_or(0, |end| end + 1);
            if let Some(count) = lines_of(&self.came[..whole]) {
                let bytes: usize = self.came.split_inclusive('\n').take(count).map(str::len).sum();
                self.came.drain(..bytes);
                return Ok(());
            }
            self.look()
                .map_err(|why| format!("{why}; seen so far:\n{}", lines(&self.came).join("\n")))?;
        }
    }

    /// The directory that the shell is in.
    pub(crate) fn dir(&self) -> PathBuf {
        fs::read_link(format!("/proc/{}/cwd", self.shell.id())).unwrap()
    }

    fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    fn look(&mut self) -> Result<(), &'static str> {
        match self.screen.recv_timeout(PATIENCE) {
            Ok(bytes) => {
                self.came += &String::from_utf8_lossy(&bytes).replace("\r\n", "\n");
                Ok(())
            }
            Err(RecvTimeoutError::Timeout) => Err("nothing more came"),
            Err(RecvTimeoutError::Disconnected) => Err("the terminal has closed"),
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // What runs there, and then the shell itself.
        let groups = [tcgetpgrp(&self.keyboard).ok(), Pid::from_raw(self.shell.id().cast_signed())];
        for group in groups.into_iter().flatten() {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.shell.wait();
    }
}

/// What somebody types who is asked for something, and only then.
fn answer_to(seen: &str) -> Option<&'static str> {
    let line = seen.rsplit('\n').next().unwrap_or_default();
    let asks_for_password = line.starts_with("password of ") || line.starts_with("new password");
    match line {
        _ if asks_for_password && line.ends_with(": ") => Some(PASSWORD),
        "again: " => Some(PASSWORD),
        _ if line.ends_with(" [y/N] ") => Some("y\n"),
        _ => None,
    }
}

fn watch(mut screen: File) -> Receiver<Vec<u8>> {
    let (sender, received) = channel();
    thread::spawn(move || {
        let mut bytes = [0; 4096];
        // Reading fails once nobody has the terminal open any more.
        while let Ok(count @ 1..) = screen.read(&mut bytes) {
            if sender.send(bytes[..count].to_vec()).is_err() {
                return;
            }
        }
    });
    received
}

/// Written when a command has ended, before and after its exit code.
const MARK: char = '\u{1e}';

const PASSWORD: &str = "correct horse battery staple\n";

/// Far longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
