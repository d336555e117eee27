//! Checks that every manifest says what a registry asks for and takes the rest from the root.
//!
//! A version or a lint that one crate sets for itself is one that the others do not have. The
//! registry's fields are asked of crates under `crates/` only, for the others are not published.
//!
//! One way around the root stays open: a dev-dependency by path without a version. Cargo drops it
//! from the package, so two crates can test with each other and still be published.

use super::{Finding, TextFile, code::line_at};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// Finds missing fields, missing lints and dependencies with a version of their own.
pub(super) fn bad_manifest(manifest: &TextFile) -> Vec<Finding> {
    let complain = |offset_bytes: usize, wrong: String, mend: &str| {
        Finding::new(&manifest.path, line_at(&manifest.text, offset_bytes), wrong, mend)
    };
    let root = match DeTable::parse(&manifest.text) {
        Ok(root) => root.into_inner(),
        Err(error) => {
            let offset_bytes = error.span().map_or(0, |span| span.start);
            return vec![complain(offset_bytes, error.message().to_owned(), "write valid TOML")];
        }
    };
    let mut findings = Vec::new();
    if manifest.path.starts_with("crates/") {
        let package = root.get("package");
        let offset_bytes = package.map_or(0, |package| package.span().start);
        for field in FIELDS {
            if package.is_none_or(|package| package.get_ref().get(*field).is_none()) {
                let wrong = format!("the package has no {field}");
                findings.push(complain(offset_bytes, wrong, "a registry wants it: add it"));
            }
        }
    }
    if !root.get("lints").is_some_and(|lints| takes_from_workspace(lints.get_ref())) {
        let mend = "add `[lints]` with `workspace = true`";
        findings.push(complain(0, "the lints are not the workspace's".to_owned(), mend));
    }
    for (name, offset_bytes) in own_dependencies(&root) {
        let mend = "declare it in the root's [workspace.dependencies] and use `workspace = true`";
        findings.push(complain(offset_bytes, format!("{name} is declared here"), mend));
    }
    findings
}

/// Lists the dependencies that are not the workspace's, with their places in the text.
fn own_dependencies<'a>(root: &'a DeTable<'_>) -> Vec<(&'a str, usize)> {
    let targets = root.get("target").and_then(|targets| targets.get_ref().as_table());
    let targets = targets.into_iter().flat_map(DeTable::values);
    let targets = targets.filter_map(|target| target.get_ref().as_table());
    let mut own = Vec::new();
    for holder in [root].into_iter().chain(targets) {
        for kind in DEPENDENCY_TABLES {
            let table = holder.get(*kind).and_then(|table| table.get_ref().as_table());
            for (name, value) in table.into_iter().flatten() {
                let value = value.get_ref();
                let is_dropped = *kind == "dev-dependencies" && is_path_only(value);
                if !takes_from_workspace(value) && !is_dropped {
                    own.push((name.get_ref().as_ref(), Spanned::span(name).start));
                }
            }
        }
    }
    own
}

fn takes_from_workspace(value: &DeValue<'_>) -> bool {
    value.get("workspace").and_then(|flag| flag.get_ref().as_bool()) == Some(true)
}

fn is_path_only(value: &DeValue<'_>) -> bool {
    value.get("path").is_some() && value.get("version").is_none()
}

/// What crates.io and its readers want to know of a package.
const FIELDS: &[&str] =
    &["categories", "description", "keywords", "license", "readme", "repository"];

const DEPENDENCY_TABLES: &[&str] = &["build-dependencies", "dependencies", "dev-dependencies"];

#[cfg(test)]
mod tests {
    use super::{TextFile, bad_manifest};

    #[test]
    fn a_whole_manifest_gives_no_finding() {
        assert_eq!(findings("crates/amop-wire/Cargo.toml", WHOLE), [] as [String; 0]);
    }

    #[test]
    fn each_missing_field_is_found_in_crates_and_nowhere_else() {
        for field in ["categories", "description", "keywords", "license", "readme", "repository"] {
            let lines = WHOLE.lines().filter(|line| !line.starts_with(field));
            let text = lines.collect::<Vec<_>>().join("\n");
            assert_eq!(
                findings("crates/amop-wire/Cargo.toml", &text),
                [format!("2: the package has no {field}")]
            );
            assert_eq!(findings("benches/Cargo.toml", &text), [] as [String; 0]);
        }
    }

    #[test]
    fn lints_of_its_own_are_found() {
        for lints in ["", "[lints.rust]\nmissing_docs = \"allow\"", "[lints]\nworkspace = false"] {
            let text = WHOLE.replace("[lints]\nworkspace = true", lints);
            assert_eq!(
                findings("xtask/Cargo.toml", &text),
                ["1: the lints are not the workspace's"],
                "{lints}"
            );
        }
    }

    #[test]
    fn a_dependency_with_a_version_of_its_own_is_found_in_every_table() {
        for (table, line) in [
            ("[dev-dependencies]", "tempfile = \"3\""),
            ("[build-dependencies]", "tempfile = { version = \"3\", features = [] }"),
            ("[target.'cfg(unix)'.dependencies]", "tempfile.path = \"../tempfile\""),
        ] {
            let text = format!("{WHOLE}\n{table}\nbytes.workspace = true\n{line}\n");
            let line = WHOLE.lines().count() + 4;
            assert_eq!(
                findings("benches/Cargo.toml", &text),
                [format!("{line}: tempfile is declared here")]
            );
        }
    }

    #[test]
    fn a_dev_dependency_by_path_is_free_unless_it_has_a_version() {
        let text = format!("{WHOLE}\n[dev-dependencies]\namop-sim.path = \"../amop-sim\"\n");
        assert_eq!(findings("crates/amop-wire/Cargo.toml", &text), [] as [String; 0]);
        let text = format!("{text}amop-sim.version = \"0.1.0\"\n");
        assert_eq!(findings("crates/amop-wire/Cargo.toml", &text).len(), 1);
    }

    #[test]
    fn a_manifest_that_is_no_toml_is_a_finding() {
        let findings = findings("xtask/Cargo.toml", "[package]\nname =\n");
        assert!(findings[0].starts_with("2: "), "{findings:?}");
    }

    fn findings(path: &str, text: &str) -> Vec<String> {
        let manifest = TextFile { path: path.to_owned(), text: text.to_owned() };
        let findings = bad_manifest(&manifest);
        findings.iter().map(|finding| format!("{}: {}", finding.line, finding.wrong)).collect()
    }

    const WHOLE: &str = r#"# The words.
[package]
name = "amop-wire"
description = "The words."
readme = "README.md"
license.workspace = true
repository.workspace = true
keywords.workspace = true
categories.workspace = true

[lints]
workspace = true

[dependencies]
bytes.workspace = true
tokio = { workspace = true, features = ["rt"] }
"#;
}
