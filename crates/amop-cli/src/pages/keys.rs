//! The page of `amop.toml`, from the list of its keys.

use amop_node::{Absent, Key, When};
use clap_mangen::roff::{Roff, bold, italic, roman};

/// The page, as `man` reads it.
pub(super) fn page() -> String {
    let mut page = Roff::new();
    page.control("TH", ["amop.toml", "5", "", "amop"]);
    page.control("SH", ["NAME"]);
    page.text([roman("amop.toml - the configuration of an AMOP node")]);
    page.control("SH", ["DESCRIPTION"]);
    page.text([
        roman("What "),
        bold("amop-node"),
        roman("(8) reads when it starts, and again on SIGHUP and "),
        bold("amop node reload"),
        roman(". It is TOML. Unknown keys are errors; rates and sizes have units; paths are relative to the file. "),
        bold("amop config check"),
        roman(" tells all that is wrong with one, "),
        bold("amop config show"),
        roman(" what counts and where it comes from."),
    ]);
    for (section, keys) in sections() {
        let title = match section {
            "p2p.peer" | "acl" => format!("[[{section}]], which may be repeated"),
            _ => format!("[{section}]"),
        };
        page.control("SH", [title.as_str()]);
        for key in keys {
            tell(key, &mut page);
        }
    }
    page.control("SH", ["FILES"]);
    page.control("TP", []);
    page.text([italic("/etc/amop/amop.toml")]);
    page.text([roman("where deploy/amop-node.service has it")]);
    page.control("SH", ["SEE ALSO"]);
    page.text([bold("amop-node"), roman("(8), "), bold("amop-config"), roman("(1)")]);
    page.render()
}

/// The keys by their sections, both in the order of the documentation.
fn sections() -> Vec<(&'static str, Vec<&'static Key>)> {
    let mut sections: Vec<(&str, Vec<&Key>)> = Vec::new();
    for key in Key::all() {
        let (section, _) = key.path.rsplit_once('.').unwrap_or(("", key.path));
        match sections.iter_mut().find(|(known, _)| *known == section) {
            Some((_, keys)) => keys.push(key),
            None => sections.push((section, vec![key])),
        }
    }
    sections
}

fn tell(key: &Key, page: &mut Roff) {
    let (_, name) = key.path.rsplit_once('.').unwrap_or(("", key.path));
    let absent = match key.default {
        Absent::Required => "It must be given.".to_owned(),
        Absent::Value(value) => format!("Default: {value}."),
        Absent::Meaning(meaning) => format!("Without it: {meaning}."),
    };
    let when = match key.when {
        When::Reload => "A change counts from the next reload on.",
        When::Start => "A change counts from the next start on.",
    };
    page.control("TP", []);
    page.text([bold(name), roman(format!("  {}", key.wanted()))]);
    page.text([roman(format!("{}. {absent} {when}", key.meaning))]);
}

#[test]
fn every_key_stands_in_the_page_once_in_its_section() {
    let page = page();
    let mut rest = page.as_str();
    for (section, keys) in sections() {
        let title = rest.find(&format!("[{section}]")).unwrap_or_else(|| panic!("{section}"));
        rest = &rest[title..];
        for key in keys {
            let name = key.path.rsplit('.').next().unwrap().replace('-', "\\-");
            let entry = format!(".TP\n\\fB{name}\\fR");
            let at = rest.find(&entry).unwrap_or_else(|| panic!("{}: {rest}", key.path));
            rest = &rest[at + entry.len()..];
        }
    }
    assert_eq!(page.matches(".TP").count(), Key::all().len() + 1, "and the file");
}
