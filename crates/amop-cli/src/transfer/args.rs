//! What can be typed after `amop send` and `amop receive`.

use std::path::PathBuf;

use amop_sdk::{FolderSettings, Overwrite, Pattern};
use clap::{Args as Arguments, ValueEnum};

use crate::args::LinkArgs;
use crate::key::{HeldArgs, SealArgs};

/// `amop send`.
#[derive(Clone, Debug, Arguments)]
pub(crate) struct Send {
    /// What to send; it keeps its name
    pub(crate) file: PathBuf,
    /// Whom to send it to: one client that receives files there
    pub(crate) topic: String,
    /// Send it to all who subscribe there now
    #[arg(long)]
    pub(crate) all: bool,
    /// Send no more than this in a second, as in 500k or 20M
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes)]
    pub(crate) limit: Option<u64>,
    /// Name the file; another one sent by this name is refused (205)
    #[arg(long, value_name = "NAME")]
    pub(crate) idempotency_key: Option<String>,
    #[command(flatten)]
    pub(crate) seal: SealArgs,
    #[command(flatten)]
    pub(crate) link: LinkArgs,
}

/// `amop receive`.
#[derive(Clone, Debug, Arguments)]
pub(crate) struct Receive {
    /// Where the files are sent to
    pub(crate) topic: String,
    /// Where to put them; it must be there
    pub(crate) dir: PathBuf,
    /// End after this many files
    #[arg(short = 'n', value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
    /// Replace files of that name never, if newer, or always
    #[arg(long, value_enum, value_name = "WHEN", default_value = "never")]
    #[arg(hide_possible_values = true)]
    pub(crate) overwrite: When,
    /// Refuse longer files, as in 500k, 20M or 4G
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes)]
    pub(crate) max: Option<u64>,
    /// Take only such names, as in '*.csv'; may be repeated
    #[arg(long, value_name = "PATTERN")]
    pub(crate) accept: Vec<Pattern>,
    /// Begin once all nodes in reach know; fails after --timeout
    #[arg(long)]
    pub(crate) propagated: bool,
    #[command(flatten)]
    pub(crate) held: HeldArgs,
    #[command(flatten)]
    pub(crate) link: LinkArgs,
}

/// When a file replaces another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    Never,
    Newer,
    Always,
}

impl Receive {
    pub(super) fn settings(&self) -> FolderSettings {
        let mut settings = FolderSettings::default();
        settings.overwrite = match self.overwrite {
            When::Never => Overwrite::Never,
            When::Newer => Overwrite::Newer,
            When::Always => Overwrite::Always,
        };
        settings.bytes_max = self.max.unwrap_or(settings.bytes_max);
        settings.accept.clone_from(&self.accept);
        settings
    }
}

/// Reads a number of bytes such as `4096`, `500k`, `20M` or `4G`, in steps of 1024.
fn parse_bytes(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|char: char| char.is_ascii_alphabetic());
    let unit: u64 = match &text[digits.len()..] {
        "" => 1,
        "k" | "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        _ => return Err("write a number and perhaps k, M or G".to_owned()),
    };
    let count: u64 = digits.parse().map_err(|_| format!("`{digits}` is no whole number"))?;
    match count.checked_mul(unit) {
        Some(0) => Err("that is nothing at all".to_owned()),
        Some(bytes) => Ok(bytes),
        None => Err("that is too much".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_may_have_a_unit() {
        let read = ["1", "500k", "20M", "4G"].map(|text| parse_bytes(text).unwrap());
        assert_eq!(read, [1, 500 << 10, 20 << 20, 4 << 30]);
        for wrong in ["", "0", "k", "-1", "1.5M", "4T", "20 M", "99999999999999G"] {
            parse_bytes(wrong).expect_err(wrong);
        }
    }
}
