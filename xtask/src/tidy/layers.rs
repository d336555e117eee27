//! Guards the arrows between the crates, and the purity of those that decide.
//!
//! Two rules. An arrow between two crates of the workspace must be in [`ARROWS`]; tests are free
//! of it. And what a pure crate reaches, over any number of other crates, must not talk to the
//! world: [`REACH_RULES`] name what is out of bounds for its builds and for its tests.
//!
//! Cargo unites the features of all that it resolves together, so each pure crate is resolved
//! alone: a feature that another crate switches on is not held against it.

use super::{Finding, TextFile};
use crate::workspace::Member;
use anyhow::{Context, Result, ensure};

/// Finds normal and build dependencies between crates of the workspace that no arrow allows.
pub(super) fn forbidden_edges(members: &[Member], manifests: &[TextFile]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for member in members.iter().filter(|member| !FREE.contains(&member.name.as_str())) {
        let manifest = manifests.iter().find(|manifest| manifest.path == member.manifest_path);
        let text = manifest.map_or("", |manifest| manifest.text.as_str());
        let Some((_, allowed)) = ARROWS.iter().find(|(from, _)| *from == member.name) else {
            findings.push(Finding::new(
                &member.manifest_path,
                1,
                format!("no layer is known for the crate {}", member.name),
                "add its arrows to xtask/src/tidy/layers.rs",
            ));
            continue;
        };
        for dependency in &member.dependencies {
            let is_member = members.iter().any(|other| other.name == *dependency);
            if is_member && !allowed.contains(&dependency.as_str()) {
                findings.push(Finding::new(
                    &member.manifest_path,
                    line_of_dependency(text, dependency),
                    format!("{} must not depend on {dependency}", member.name),
                    "move what it needs to a layer that both may use",
                ));
            }
        }
    }
    findings
}

/// Finds what a pure crate must not reach in the output of `cargo tree --prefix=depth`.
///
/// Of a chain of forbidden crates only the first counts, for the rest leave with it; those that
/// one crate brings in together are one finding.
///
/// # Errors
///
/// Fails when the output has another form than expected, so that a change of cargo cannot
/// silently switch the rule off.
pub(super) fn forbidden_reach(
    manifest: &TextFile,
    tree: &str,
    rule: &ReachRule,
) -> Result<Vec<Finding>> {
    let mut reached: Vec<(Vec<&str>, Vec<&str>)> = Vec::new();
    let mut chain: Vec<&str> = Vec::new();
    for line in tree.lines().filter(|line| !line.is_empty() && !line.starts_with('[')) {
        let (depth, name) = parse_tree_line(line)
            .with_context(|| format!("cargo tree wrote an unknown line: {line}"))?;
        ensure!(depth <= chain.len(), "cargo tree skipped a level: {line}");
        chain.truncate(depth);
        let is_behind_another = chain.iter().any(|crate_name| rule.forbidden.contains(crate_name));
        let is_known = reached.iter().any(|(_, names)| names.contains(&name));
        if rule.forbidden.contains(&name) && !is_behind_another && !is_known {
            match reached.iter_mut().find(|(bringers, _)| *bringers == chain) {
                Some((_, names)) => names.push(name),
                None => reached.push((chain.clone(), vec![name])),
            }
        }
        chain.push(name);
    }
    ensure!(!chain.is_empty(), "cargo tree wrote nothing for {}", manifest.path);
    let complain = |(bringers, names): (Vec<&str>, Vec<&str>)| {
        let direct = bringers.iter().chain(&names).nth(1).copied().unwrap_or_default();
        let line = line_of_dependency(&manifest.text, direct);
        let wrong =
            format!("a pure crate reaches {} by {}", names.join(", "), bringers.join(" -> "));
        Finding::new(&manifest.path, line, wrong, rule.mend)
    };
    Ok(reached.into_iter().map(complain).collect())
}

/// Takes the depth and the name from a line such as `2 bytes v1.12.1 (*)`.
fn parse_tree_line(line: &str) -> Option<(usize, &str)> {
    let (depth, package) = line.split_once(' ')?;
    Some((depth.parse().ok()?, package.split(' ').next()?))
}

/// Says whether a crate decides only, so that all it knows of the world comes in as values.
pub(super) fn is_pure(crate_name: &str) -> bool {
    PURE.contains(&crate_name)
}

/// What pure crates must not reach over some kinds of dependencies.
pub(super) struct ReachRule {
    /// The kinds of dependencies, in the words of `cargo tree --edges`. Procedural macros run in
    /// the compiler and leave nothing but code that we read, so what they reach does not count.
    pub(super) edges: &'static str,
    forbidden: &'static [&'static str],
    mend: &'static str,
}

/// One rule for builds and a milder one for tests, which may draw random cases.
pub(super) const REACH_RULES: &[ReachRule] = &[
    ReachRule {
        edges: "normal,no-proc-macro",
        forbidden: &[
            "async-std",
            "getrandom",
            "mio",
            "quinn",
            "quinn-proto",
            "rand",
            "rustls",
            "socket2",
            "tokio",
        ],
        mend: "drop that dependency or its feature, and take what it gives as a value",
    },
    ReachRule {
        edges: "normal,dev,no-proc-macro",
        forbidden: &["async-std", "mio", "quinn", "quinn-proto", "rustls", "socket2", "tokio"],
        mend: "test it without that, or move the test to the crate that drives it",
    },
];

/// The crates without I/O, clocks, and randomness other than a seed.
const PURE: &[&str] = &["amop-auth", "amop-core", "amop-sim", "amop-topic-table", "amop-wire"];

/// The crates that may depend on any other.
const FREE: &[&str] = &["benches", "chaos-runner", "fuzz-targets", "sim-runner", "xtask"];

/// Which crates of the workspace a crate may depend on. `amop-core` and `amop-p2p` never meet,
/// nor do `amop-sdk` and `amop-node` below the tool.
const ARROWS: &[(&str, &[&str])] = &[
    ("amop-auth", &["amop-wire"]),
    ("amop-cli", &["amop-core", "amop-node", "amop-p2p", "amop-pki", "amop-sdk", "amop-wire"]),
    ("amop-core", &["amop-auth", "amop-topic-table", "amop-wire"]),
    ("amop-files", &["amop-wire"]),
    ("amop-node", &["amop-core", "amop-p2p", "amop-topic-table", "amop-wire"]),
    ("amop-p2p", &["amop-wire"]),
    ("amop-pki", &["amop-wire"]),
    ("amop-sdk", &["amop-auth", "amop-core", "amop-files", "amop-p2p", "amop-wire"]),
    ("amop-sim", &["amop-auth", "amop-core", "amop-topic-table", "amop-wire"]),
    ("amop-topic-table", &["amop-wire"]),
    ("amop-wire", &[]),
];

/// Finds the line that declares a dependency, or the first line if it is hidden in a table.
fn line_of_dependency(manifest: &str, name: &str) -> usize {
    let declares = |line: &str| {
        line.strip_prefix(name).is_some_and(|after| after.starts_with(['.', ' ', '=']))
    };
    manifest.lines().position(declares).map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::{Finding, REACH_RULES, TextFile, forbidden_edges, forbidden_reach};
    use crate::workspace::Member;

    #[test]
    fn allowed_arrows_and_free_crates_give_no_finding() {
        let members = [
            member("amop-wire", &["bytes"]),
            member("amop-topic-table", &["amop-wire"]),
            member("amop-core", &["amop-wire", "amop-topic-table", "bytes"]),
            member("benches", &["amop-wire", "amop-core"]),
        ];
        assert_eq!(forbidden_edges(&members, &[]), []);
    }

    #[test]
    fn core_and_p2p_never_meet() {
        for (from, to) in [("amop-core", "amop-p2p"), ("amop-p2p", "amop-core")] {
            let members = [member(from, &[to]), member(to, &[])];
            let path = format!("crates/{from}/Cargo.toml");
            let text = format!("[package]\n\n[dependencies]\n{to}-macros.workspace = true\n");
            let text = format!("{text}{to}.workspace = true\n");

            let findings = forbidden_edges(&members, &[TextFile { path: path.clone(), text }]);

            assert_eq!(lines(&findings), [(path.as_str(), 5)]);
            assert!(findings[0].wrong.contains(&format!("{from} must not depend on {to}")));
        }
    }

    #[test]
    fn a_crate_without_a_layer_is_found() {
        let findings = forbidden_edges(&[member("amop-new", &[])], &[]);
        assert_eq!(lines(&findings), [("crates/amop-new/Cargo.toml", 1)]);
    }

    #[test]
    fn a_pure_tree_gives_no_finding() {
        let tree =
            "0 amop-core v0.1.0 (/w)\n1 bytes v1.0.0\n1 amop-wire v0.1.0 (/w)\n2 bytes (*)\n";
        assert_eq!(reach(tree, 0), []);
    }

    #[test]
    fn a_forbidden_crate_is_found_at_any_depth_with_its_chain() {
        let tree = "0 amop-core v0.1.0 (/w)\n1 bytes v1.0.0\n1 helper v1.0.0\n2 quinn v0.11.0\n\
                    3 tokio v1.0.0\n4 mio v1.0.0\n2 rustls v0.23.0\n1 getrandom v0.3.0\n1 quinn v0.11.0 (*)\n";
        assert_eq!(
            reach(tree, 0),
            [
                (4, "a pure crate reaches quinn, rustls by amop-core -> helper".to_owned()),
                (3, "a pure crate reaches getrandom by amop-core".to_owned()),
            ]
        );
    }

    #[test]
    fn tests_of_pure_crates_may_draw_cases_yet_not_open_sockets() {
        let tree = "0 amop-core v0.1.0 (/w)\n[dev-dependencies]\n1 proptest v1.0.0\n\
                    2 rand v0.9.0\n1 tokio v1.0.0\n";
        assert_eq!(reach(tree, 1), [(1, "a pure crate reaches tokio by amop-core".to_owned())]);
    }

    #[test]
    fn an_unknown_form_of_the_tree_is_an_error_rather_than_silence() {
        for tree in ["", "amop-core v0.1.0\n", "0 amop-core v0.1.0\n2 bytes v1.0.0\n", "0\n"] {
            forbidden_reach(&manifest(), tree, &REACH_RULES[0]).unwrap_err();
        }
    }

    fn reach(tree: &str, rule: usize) -> Vec<(usize, String)> {
        let findings = forbidden_reach(&manifest(), tree, &REACH_RULES[rule]).unwrap();
        findings.into_iter().map(|finding| (finding.line, finding.wrong)).collect()
    }

    fn manifest() -> TextFile {
        let text = "[package]\n[dependencies]\ngetrandom.workspace = true\nhelper = \"1\"\n";
        TextFile { path: "Cargo.toml".to_owned(), text: text.to_owned() }
    }

    fn lines(findings: &[Finding]) -> Vec<(&str, usize)> {
        findings.iter().map(|finding| (finding.path.as_str(), finding.line)).collect()
    }

    fn member(name: &str, dependencies: &[&str]) -> Member {
        Member {
            name: name.to_owned(),
            version: "0.1.0".to_owned(),
            manifest_path: format!("crates/{name}/Cargo.toml"),
            is_publishable: true,
            dependencies: dependencies.iter().map(|&name| name.to_owned()).collect(),
            benches: Vec::new(),
        }
    }
}
