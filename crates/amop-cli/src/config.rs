//! `amop config`: what a node's configuration says, and what is wrong with it.
//!
//! It reads what the daemon reads, by the same code, without a node: what is told here is what a start would tell.

use std::path::{Path, PathBuf};

use amop_node::{Absent, Config, ConfigErrors, Key, Setting, When};
use clap::{Args as Arguments, Subcommand};
use serde::Serialize;

use crate::errors::kind;
use crate::exit::{Exit, Failure};
use crate::out::Out;

/// `amop config`.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Configuration {
    /// Say all that is wrong with a configuration, and with the files that it names
    #[command(before_help = "Example: amop config check /etc/amop/amop.toml")]
    Check(File),
    /// Show every value that counts, and where it comes from
    #[command(before_help = "Example: amop config show --set log.level=debug")]
    Show(File),
    /// Explain one key, or list all
    #[command(before_help = "Example: amop config explain tls.crl")]
    Explain(Explain),
}

/// A configuration to look at.
#[derive(Clone, Debug, Arguments)]
pub(crate) struct File {
    /// The configuration file; also by AMOP_CONFIG
    #[arg(value_name = "FILE", env = "AMOP_CONFIG", hide_env = true, default_value = "amop.toml")]
    file: PathBuf,
    /// Take this value instead of what the file says; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
}

/// `amop config explain`.
#[derive(Clone, Debug, Arguments)]
pub(crate) struct Explain {
    /// The key, such as p2p.listen; all of them without it
    #[arg(value_name = "KEY")]
    key: Option<String>,
}

/// Runs one of the commands.
pub(crate) fn run(command: &Configuration, out: &mut Out) -> Result<(), Failure> {
    match command {
        Configuration::Check(file) => check(file, out),
        Configuration::Show(file) => show(file, out),
        Configuration::Explain(explain) => self::explain(explain.key.as_deref(), out),
    }
}

/// Reads a configuration, or tells all that is wrong with it.
pub(crate) fn read(file: &File, out: &mut Out) -> Result<Config, Failure> {
    Config::from_file_with(&file.file, &file.sets).map_err(|errors| wrong(&errors, out))
}

/// Tells all that is wrong. Programs get an object for each, and the last one says that it is an error.
fn wrong(errors: &ConfigErrors, out: &mut Out) -> Failure {
    if !out.is_json() {
        out.note(errors);
        return Failure::Told(Exit::CONFIG);
    }
    for problem in &errors.problems {
        let place = problem.place.as_ref();
        let object = ProblemObject {
            kind_of_object: "diagnostic",
            severity: "error",
            message: problem.sentence(),
            source: place.map(|place| place.source.as_str()),
            line: place.map(|place| place.line),
            column: place.map(|place| place.column),
        };
        if let Err(failure) = out.json(&object) {
            return failure;
        }
    }
    let sentence = format!("{} errors in {}", errors.problems.len(), errors.file.display());
    Failure::new(Exit::CONFIG, kind!("configuration"), sentence).next("amop config explain KEY")
}

fn check(file: &File, out: &mut Out) -> Result<(), Failure> {
    let config = read(file, out)?;
    let name = config.node.identity.name();
    match out.is_json() {
        true => out.json(&CheckObject {
            kind_of_object: "check",
            file: &file.file,
            node: name.as_dns(),
        }),
        false => out.line(format!("{}: ok, this is {name}", file.file.display())),
    }
}

fn show(file: &File, out: &mut Out) -> Result<(), Failure> {
    let config = read(file, out)?;
    let width = config.settings.iter().map(|setting| setting.key.len()).max().unwrap_or_default();
    for Setting { key, value, place } in &config.settings {
        let from = match place {
            Some(place) if place.source == "--set" => "--set".to_owned(),
            Some(place) => format!("{}:{}", place.source, place.line),
            None => "default".to_owned(),
        };
        match out.is_json() {
            true => {
                out.json(&SettingObject { kind_of_object: "setting", key, value, from: &from })?;
            }
            false => {
                let from = out.dim(format!("# {from}"));
                out.line(format!("{key:<width$} = {value}  {from}"))?;
            }
        }
    }
    Ok(())
}

fn explain(path: Option<&str>, out: &mut Out) -> Result<(), Failure> {
    let Some(path) = path else {
        let width = Key::all().iter().map(|key| key.path.len()).max().unwrap_or_default();
        for key in Key::all() {
            match out.is_json() {
                true => out.json(&KeyObject::of(key))?,
                false => out.line(format!("{:<width$}  {}", key.path, key.meaning))?,
            }
        }
        return Ok(());
    };
    let Some(key) = Key::find(path) else {
        let failure =
            Failure::new(Exit::USAGE, kind!("unknown-key"), format!("there is no key `{path}`"));
        return Err(match Key::like(path) {
            Some(key) => failure.next(format!("did you mean `{}`?", key.path)),
            None => failure.next("`amop config explain` lists all keys"),
        });
    };
    if out.is_json() {
        return out.json(&KeyObject::of(key));
    }
    out.line(format!("{}  {}", key.path, key.meaning))?;
    out.line(format!("  takes    {}", key.wanted()))?;
    out.line(format!("  default  {}", left_out(key)))?;
    out.line(format!("  counts   {}", counts(key)))
}

fn left_out(key: &Key) -> &'static str {
    match key.default {
        Absent::Required => "none, it must be given",
        Absent::Value(value) => value,
        Absent::Meaning(meaning) => meaning,
    }
}

fn counts(key: &Key) -> &'static str {
    match key.when {
        When::Reload => "from the next reload on (SIGHUP)",
        When::Start => "from the next start of the node on",
    }
}

/// One thing that is wrong, for programs.
#[derive(Serialize)]
struct ProblemObject<'a> {
    #[serde(rename = "type")]
    kind_of_object: &'static str,
    severity: &'static str,
    message: String,
    source: Option<&'a str>,
    line: Option<usize>,
    column: Option<usize>,
}

/// A good configuration, for programs.
#[derive(Serialize)]
struct CheckObject<'a> {
    #[serde(rename = "type")]
    kind_of_object: &'static str,
    file: &'a Path,
    node: &'a str,
}

/// A value that counts, for programs.
#[derive(Serialize)]
struct SettingObject<'a> {
    #[serde(rename = "type")]
    kind_of_object: &'static str,
    key: &'a str,
    value: &'a str,
    from: &'a str,
}

/// A key, for programs.
#[derive(Serialize)]
struct KeyObject {
    #[serde(rename = "type")]
    kind_of_object: &'static str,
    key: &'static str,
    meaning: &'static str,
    takes: String,
    required: bool,
    default: Option<&'static str>,
    needs_restart: bool,
}

impl KeyObject {
    fn of(key: &Key) -> Self {
        let required = key.default == Absent::Required;
        Self {
            kind_of_object: "key",
            key: key.path,
            meaning: key.meaning,
            takes: key.wanted(),
            required,
            default: (!required).then(|| left_out(key)),
            needs_restart: key.when == When::Start,
        }
    }
}
