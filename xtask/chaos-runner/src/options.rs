//! The options of `cargo xtask chaos` that its runner takes. Both are built with this file, so that
//! they cannot differ.

/// What to run, and for how long.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub(crate) struct Options {
    /// What happens to the network: rolling, kill, stop, blackhole, bad-link, mix, overload,
    /// saturation, slow-reader, flood, hostile, soak, or all of them one after another.
    #[arg(long, value_name = "NAME", default_value = "all")]
    pub(crate) scenario: String,
    /// What is drawn follows from this: who is hit when, and what is lost. Drawn anew when absent.
    #[arg(long, value_name = "S")]
    pub(crate) seed: Option<u64>,
    /// How long each scenario lasts at least.
    #[arg(long, value_name = "M", default_value_t = 3)]
    pub(crate) minutes: u64,
    /// Run each for 10 s at a tenth of the load, to see that the harness itself works.
    #[arg(long)]
    pub(crate) smoke: bool,
}
