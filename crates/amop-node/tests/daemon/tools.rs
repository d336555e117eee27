//! Tools of others that a test needs.

use std::env;
use std::io::{self, Write};
use std::process::Command;

/// The tool, or `None` if this machine does not have it, which is said.
///
/// With `AMOP_CI=1` in the environment all is tried, and a tool that is missing is a failure.
pub(crate) fn tool(name: &str) -> Option<Command> {
    found(name, env::var_os("AMOP_CI").is_some_and(|value| value == "1"))
}

#[expect(clippy::explicit_write, reason = "what a passing test prints is kept back, but not this")]
fn found(name: &str, must_be: bool) -> Option<Command> {
    match Command::new(name).arg("--version").output() {
        Ok(_) => Some(Command::new(name)),
        Err(error) if must_be => panic!("{name} is needed here: {error}"),
        Err(error) => {
            writeln!(io::stderr(), "skipped what needs {name}: {error}").unwrap();
            None
        }
    }
}

#[test]
fn without_a_tool_its_tests_are_skipped() {
    assert!(found("/no/such/tool", false).is_none());
}

#[test]
#[should_panic(expected = "/no/such/tool is needed here")]
fn without_a_tool_its_tests_fail_where_all_is_tried() {
    found("/no/such/tool", true);
}
