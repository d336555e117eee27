//! The options of `cargo xtask sim` that its runner takes. Both are built with this file, so that
//! they cannot differ.

/// What to run, and how to say what came of it.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub(crate) struct Options {
    /// How many worlds to run, those that are kept aside.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub(crate) seeds: u64,
    /// The first seed. It is drawn anew when absent, so that each run tries other worlds.
    #[arg(long, value_name = "S")]
    pub(crate) from: Option<u64>,
    /// Stop at the first world that breaks the contract.
    #[arg(long)]
    pub(crate) first: bool,
    /// Run this world alone.
    #[arg(long, value_name = "S", conflicts_with_all = ["seeds", "from"])]
    pub(crate) seed: Option<u64>,
    /// Tell what happened in it, as a ladder: of the message that the first violation names, or of
    /// all if it names none.
    #[arg(long, requires = "seed")]
    pub(crate) story: bool,
    /// Tell the story of the message with this id instead.
    #[arg(long, value_name = "ID", requires = "story")]
    pub(crate) about: Option<String>,
    /// Build one large network in which nothing fails instead, and tell what its tables cost.
    #[arg(long, conflicts_with_all = ["seeds", "from", "first", "seed"])]
    pub(crate) large: bool,
    /// How many nodes the large network has, up to 1024.
    #[arg(long, value_name = "N", requires = "large", default_value_t = 1000)]
    #[arg(value_parser = clap::value_parser!(u16).range(2..=1024))]
    pub(crate) nodes: u16,
    /// How many topics it has, each with one subscriber.
    #[arg(long, value_name = "N", requires = "large", default_value_t = 20_000)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) topics: u32,
    /// Write the report as one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(test)]
mod tests {
    use super::Options;
    use clap::{Args, FromArgMatches};

    fn parse(line: &str) -> Result<Options, clap::Error> {
        let command = Options::augment_args(clap::Command::new("sim").no_binary_name(true));
        Options::from_arg_matches(&command.try_get_matches_from(line.split_whitespace())?)
    }

    #[test]
    fn a_thousand_fresh_worlds_run_unless_others_are_asked_for() {
        let options = parse("").unwrap();
        assert_eq!((options.seeds, options.from, options.seed), (1000, None, None));
        let options = parse("--seeds 5 --from 7").unwrap();
        assert_eq!((options.seeds, options.from), (5, Some(7)));
        assert!(!options.large);
    }

    #[test]
    fn a_large_network_has_a_thousand_nodes_unless_others_are_asked_for() {
        let options = parse("--large --json").unwrap();
        assert_eq!((options.nodes, options.topics, options.large), (1000, 20_000, true));
        let options = parse("--large --nodes 1024 --topics 7").unwrap();
        assert_eq!((options.nodes, options.topics), (1024, 7));
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        let refused = [
            "--story",
            "--seed 1 --seeds 2",
            "--seed 1 --from 2",
            "--seeds x",
            "--about 3",
            "--nodes 5",
            "--large --seed 1",
            "--large --nodes 1",
            "--large --nodes 1025",
        ];
        for line in refused {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
