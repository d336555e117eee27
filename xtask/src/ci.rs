//! Runs what every change must pass. `.ci/run` does nothing else, so there is one list.
//!
//! The cheap steps come first. Each is a plain command line that can be copied from the output
//! and run alone; what it prints passes through untouched.

use crate::process;
use anyhow::Result;
use std::{
    fmt,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

/// Runs every step in order.
///
/// # Errors
///
/// The first step that fails ends the run and is the error.
pub(crate) fn run(root: &Path) -> Result<()> {
    run_steps(STEPS, |step| process::run(&mut step.command(root)))
}

fn run_steps(steps: &[Step], mut perform: impl FnMut(&Step) -> Result<()>) -> Result<()> {
    let started = now();
    for (index, step) in steps.iter().enumerate() {
        println!("\n==> {}/{} {step}", index + 1, steps.len());
        let step_started = now();
        let outcome = perform(step);
        let verdict = if outcome.is_ok() { "passed" } else { "FAILED" };
        println!("==> {verdict} after {}: {step}", seconds(step_started.elapsed()));
        outcome?;
    }
    println!("\n==> all steps passed in {}", seconds(started.elapsed()));
    // In the form in which test runners close, for whoever reads only the last line.
    println!("steps: {} passed, 0 failed", steps.len());
    Ok(())
}

/// One command line, with the environment it needs beside ours.
struct Step {
    environment: &'static [(&'static str, &'static str)],
    /// Words after `cargo`; none of them needs quotes.
    arguments: &'static str,
}

impl Step {
    fn command(&self, root: &Path) -> Command {
        let mut command = process::cargo(root);
        command.args(self.arguments.split(' ')).envs(self.environment.iter().copied());
        command
    }
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in self.environment {
            write!(formatter, "{name}=\"{value}\" ")?;
        }
        write!(formatter, "cargo {}", self.arguments)
    }
}

fn seconds(span: Duration) -> String {
    format!("{:.1} s", span.as_secs_f64())
}

#[expect(clippy::disallowed_methods, reason = "the one place that measures how long a step takes")]
fn now() -> Instant {
    Instant::now()
}

const STEPS: &[Step] = &[
    Step { environment: &[], arguments: "fmt --all -- --check" },
    Step {
        environment: &[],
        arguments: "clippy --locked --workspace --all-targets --features benches/nats -- -D warnings",
    },
    Step { environment: &[], arguments: "xtask tidy" },
    // That workspace is built by `cargo xtask fuzz` alone; its lock must not fall behind.
    Step { environment: &[], arguments: "tree --locked --depth 0 --manifest-path fuzz/Cargo.toml" },
    Step {
        environment: &[("RUSTDOCFLAGS", "-D warnings")],
        arguments: "doc --locked --workspace --no-deps",
    },
    Step { environment: &[], arguments: "test --locked --workspace" },
    Step { environment: &[], arguments: "run --locked --release --bin amop -- demo --fast" },
    Step { environment: &[], arguments: "xtask bench two-hop --smoke --vs raw" },
    // In bad weather nothing may stand still for 2 s.
    Step {
        environment: &[],
        arguments: "xtask bench two-hop --smoke --weather loss --case one-way-256,requests-64",
    },
    Step {
        environment: &[],
        arguments: "xtask bench two-hop --smoke --weather bursts --case one-way-256,requests-64",
    },
    Step {
        environment: &[],
        arguments: "xtask bench two-hop --smoke --weather delay --case one-way-256,requests-64",
    },
    Step {
        environment: &[],
        arguments: "xtask bench two-hop --smoke --weather reorder --case one-way-256,requests-64",
    },
    Step { environment: &[], arguments: "xtask bench file --smoke" },
    // The same worlds each time, for a change is judged by what it breaks; who looks for more leaves out `--from`.
    Step { environment: &[], arguments: "xtask sim --seeds 3000 --from 33195229" },
    Step { environment: &[], arguments: "xtask chaos --scenario mix --minutes 3" },
    Step { environment: &[], arguments: "xtask package" },
];

#[cfg(test)]
mod tests {
    use super::{STEPS, Step, run_steps};
    use anyhow::bail;
    use std::{ffi::OsStr, path::Path};

    #[test]
    fn steps_run_in_order_until_one_fails() {
        let steps = ["one", "two", "three"].map(|arguments| Step { environment: &[], arguments });
        let mut seen = Vec::new();

        let outcome = run_steps(&steps, |step| {
            seen.push(step.arguments);
            if step.arguments == "two" { bail!("two is broken") } else { Ok(()) }
        });

        assert_eq!(outcome.unwrap_err().to_string(), "two is broken");
        assert_eq!(seen, ["one", "two"]);
    }

    #[test]
    fn a_step_prints_the_very_command_that_it_runs() {
        let doc = STEPS.iter().find(|step| step.arguments.starts_with("doc")).unwrap();

        let command = doc.command(Path::new("."));

        assert_eq!(
            doc.to_string(),
            "RUSTDOCFLAGS=\"-D warnings\" cargo doc --locked --workspace --no-deps"
        );
        let arguments: Vec<_> = command.get_args().collect();
        assert_eq!(arguments, ["doc", "--locked", "--workspace", "--no-deps"]);
        let variables: Vec<_> = command.get_envs().collect();
        assert_eq!(variables, [(OsStr::new("RUSTDOCFLAGS"), Some(OsStr::new("-D warnings")))]);
    }
}
