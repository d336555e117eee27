//! Keeps known holes out of `Cargo.lock`.
//!
//! A version range in a manifest says what compiles; the floor here says what is safe to run.
//! Every locked version counts, also one that only another dependency pulled in.

use super::{Finding, code::line_at};
use toml::de::{DeTable, DeValue};

/// Finds locked packages older than the first release without a known hole.
pub(super) fn too_old(path: &str, lockfile: &str) -> Vec<Finding> {
    let unreadable = |wrong: &str| vec![Finding::new(path, 1, wrong, "run `cargo update`")];
    let root = match DeTable::parse(lockfile) {
        Ok(root) => root.into_inner(),
        Err(error) => return unreadable(error.message()),
    };
    let Some(packages) = root.get("package").and_then(|packages| packages.get_ref().as_array())
    else {
        return unreadable("the lock file holds no packages");
    };
    let mut findings = Vec::new();
    for package in packages {
        let text =
            |key| package.get_ref().get(key).and_then(|value| DeValue::as_str(value.get_ref()));
        let (Some(name), Some(version)) = (text("name"), text("version")) else { continue };
        for (_, floor) in FLOORS.iter().filter(|(crate_name, _)| *crate_name == name) {
            if numbers(version) < numbers(floor) {
                findings.push(Finding::new(
                    path,
                    line_at(lockfile, package.span().start),
                    format!("{name} {version} has known holes"),
                    format!("run `cargo update {name}@{version}` to reach {floor} or later"),
                ));
            }
        }
    }
    findings
}

/// Reads a version for comparison; a pre-release counts as older than all, to be safe.
fn numbers(version: &str) -> Option<Vec<u64>> {
    let (version, _build) = version.split_once('+').unwrap_or((version, ""));
    version.split('.').map(|number| number.parse().ok()).collect()
}

/// The first releases without the holes that became known by 2026.
const FLOORS: &[(&str, &str)] =
    &[("quinn-proto", "0.11.15"), ("rustls", "0.23.45"), ("rustls-webpki", "0.103.13")];

#[cfg(test)]
mod tests {
    use super::{FLOORS, too_old};

    #[test]
    fn versions_at_or_above_the_floor_pass() {
        for (name, floor) in FLOORS {
            assert_eq!(findings(&[(name, floor)]), [] as [String; 0]);
        }
        let newer =
            [("quinn-proto", "0.12.0"), ("rustls", "0.23.100+x"), ("rustls-webpki", "1.0.0")];
        assert_eq!(findings(&newer), [] as [String; 0]);
        assert_eq!(findings(&[("bytes", "0.0.1")]), [] as [String; 0]);
    }

    #[test]
    fn versions_below_the_floor_are_found_even_beside_a_good_one() {
        for (name, version) in [
            ("quinn-proto", "0.11.14"),
            ("quinn-proto", "0.9.99"),
            ("rustls", "0.23.44"),
            ("rustls", "0.24.0-dev.2"),
            ("rustls-webpki", "0.103.12"),
            ("rustls-webpki", "0.101.7"),
        ] {
            let found = findings(&[(name, "9.0.0"), (name, version)]);
            assert_eq!(found, [format!("5: {name} {version} has known holes")]);
        }
    }

    #[test]
    fn a_lock_file_that_cannot_be_read_is_a_finding() {
        assert_eq!(too_old("Cargo.lock", "version = 4\n").len(), 1);
        assert_eq!(too_old("Cargo.lock", "[[package\n").len(), 1);
    }

    fn findings(packages: &[(&str, &str)]) -> Vec<String> {
        let entries = packages.iter().map(|(name, version)| {
            format!("[[package]]\nname = {name:?}\nversion = {version:?}\n\n")
        });
        let findings = too_old("Cargo.lock", &entries.collect::<String>());
        findings.iter().map(|finding| format!("{}: {}", finding.line, finding.wrong)).collect()
    }
}
