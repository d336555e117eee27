//! Does the project's chores, one subcommand each: `cargo xtask <command>`.
//!
//! Everything that CI runs is a command here, so that whoever changes the code can run the very
//! same thing at home. A chore reads the workspace through `cargo metadata`, never through paths
//! remembered from the build, so one compiled xtask serves every checkout.

mod bench;
mod chaos;
mod ci;
mod codegen;
mod dist;
mod fuzz;
mod package;
mod process;
mod sim;
mod tidy;
mod workspace;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    match run(CommandLine::parse().chore) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Not the debug form: a stale file or a failed step is no matter for a backtrace.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(chore: Chore) -> anyhow::Result<()> {
    let workspace = workspace::Workspace::load()?;
    match chore {
        Chore::Codegen(codegen) => codegen.run(&workspace.root),
        Chore::Tidy => tidy::run(&workspace),
        Chore::Ci => ci::run(&workspace.root),
        Chore::Package(package) => package.run(&workspace),
        Chore::Bench(bench) => bench.run(&workspace),
        Chore::Sim(sim) => sim.run(&workspace),
        Chore::Fuzz(fuzz) => fuzz.run(&workspace),
        Chore::Chaos(chaos) => chaos.run(&workspace),
        Chore::Dist(dist) => dist.run(&workspace),
    }
}

/// Does the project's chores.
#[derive(Debug, clap::Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    before_help = "Example: cargo xtask ci",
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
struct CommandLine {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, clap::Subcommand)]
enum Chore {
    /// Generate the Rust of the wire messages from proto/amop/v1.
    #[command(before_help = "Example: cargo xtask codegen --check")]
    Codegen(codegen::Codegen),
    /// Check the house rules that neither rustc nor clippy checks, and list every breach.
    #[command(before_help = "Example: cargo xtask tidy")]
    Tidy,
    /// Run everything that a change must pass, in CI's order, until the first failure.
    #[command(before_help = "Example: cargo xtask ci")]
    Ci,
    /// Prove that every crate under crates/ can be packaged for a registry.
    #[command(before_help = "Example: cargo xtask package --verify")]
    Package(package::Package),
    /// Run the benchmarks: criterion's suites, or the two-hop benchmark of whole processes.
    #[command(before_help = "Example: cargo xtask bench --save before")]
    Bench(bench::Bench),
    /// Run random simulated worlds in which everything fails, and check that the contract holds.
    #[command(before_help = "Example: cargo xtask sim --seeds 3000", after_help = sim::EXAMPLES)]
    Sim(sim::Sim),
    /// Fuzz everything that reads foreign bytes, with libFuzzer, which needs a C++ compiler.
    #[command(before_help = "Example: cargo xtask fuzz --seconds 60 private_proof")]
    Fuzz(fuzz::Fuzz),
    /// Run real nodes and clients through real failures, and check that the contract holds.
    #[command(before_help = "Example: cargo xtask chaos --smoke", after_help = chaos::EXAMPLES)]
    Chaos(chaos::Chaos),
    /// Make the archive of a release: programs, pages, completions, docs, licences, sums.
    #[command(before_help = "Example: cargo xtask dist")]
    Dist(dist::Dist),
}

#[cfg(test)]
mod tests {
    use super::CommandLine;
    use clap::CommandFactory;

    #[test]
    fn the_help_of_every_command_starts_with_an_example() {
        let mut commands = vec![CommandLine::command()];
        while let Some(mut command) = commands.pop() {
            let help = command.render_help().to_string();
            assert!(help.starts_with("Example: cargo xtask "), "{help}");
            commands.extend(command.get_subcommands().cloned());
        }
    }

    #[test]
    fn the_command_line_is_well_formed() {
        CommandLine::command().debug_assert();
    }
}
