//! Runs other programs and turns their failures into errors that name the command.

use anyhow::{Context, Result, ensure};
use std::{ffi::OsStr, fmt, path::Path, process::Command};

/// Starts a command line of the same cargo that runs this xtask.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
}

/// Runs `command` with our own output and input, and waits for it.
///
/// # Errors
///
/// Fails when the program cannot be started or does not exit with success.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let line = CommandLine::of(command);
    let status = command.status().with_context(|| format!("cannot start `{line}`"))?;
    ensure!(status.success(), "`{line}` failed: {status}");
    Ok(())
}

/// Runs `command` and returns what it wrote to its standard output.
///
/// # Errors
///
/// Fails when the program cannot be started, does not exit with success (the error then carries
/// what it wrote to its standard error), or writes anything but UTF-8.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let line = CommandLine::of(command);
    let output = command.output().with_context(|| format!("cannot start `{line}`"))?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "`{line}` failed: {}\n{complaint}", output.status);
    String::from_utf8(output.stdout).with_context(|| format!("`{line}` wrote no UTF-8"))
}

/// A command as one would type it, for messages.
struct CommandLine(String);

impl CommandLine {
    fn of(command: &Command) -> Self {
        let program = Path::new(command.get_program()).file_name().unwrap_or_default();
        let words: Vec<_> =
            [program].into_iter().chain(command.get_args()).map(OsStr::to_string_lossy).collect();
        Self(words.join(" "))
    }
}

impl fmt::Display for CommandLine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{cargo, output, run};
    use std::path::Path;

    #[test]
    fn the_output_of_a_command_is_returned() {
        let version = output(cargo(Path::new(".")).arg("--version")).unwrap();
        assert!(version.starts_with("cargo "), "{version}");
    }

    #[test]
    fn a_failure_names_the_command() {
        let error = output(cargo(Path::new(".")).arg("--no-such-option")).unwrap_err().to_string();
        assert!(error.starts_with("`cargo --no-such-option` failed"), "{error}");
        assert!(error.contains("unexpected argument"), "{error}");
    }

    #[test]
    fn a_program_that_is_missing_is_an_error() {
        let error = run(&mut std::process::Command::new("/no/such/program")).unwrap_err();
        assert_eq!(error.to_string(), "cannot start `program`");
    }
}
