//! The pages of `docs/start`, followed word for word.
//!
//! Each page is followed by a newcomer in a fresh directory: what stands after `$ ` is typed into a shell on a
//! terminal, passwords are typed when somebody asks for them, files are written as the page shows them. What is seen
//! must be what the page says. See [`page`] for how a page is read. Only the ports are others, because those of the
//! page may be taken.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../network/build.rs"]
mod build;
mod newcomer;
mod page;
mod ports;
mod seen;
mod terminal;

use newcomer::Newcomer;

#[test]
fn the_page_for_operators_is_true() {
    Newcomer::follows("operator", include_str!("../../../../docs/start/operator.md"));
}

#[test]
fn the_page_for_developers_is_true() {
    Newcomer::follows("developer", include_str!("../../../../docs/start/developer.md"));
}

/// What cargo compiles with every test.
#[test]
fn the_program_in_the_page_for_developers_is_an_example_of_the_sdk() {
    let page = include_str!("../../../../docs/start/developer.md");
    let (_, program) = page.split_once("```rust\n").unwrap();
    let (program, _) = program.split_once("```\n").unwrap();
    let example = include_str!("../../../amop-sdk/examples/ask.rs");
    let (_, below_its_title) = example.split_once("\n\n").unwrap();
    assert_eq!(program, below_its_title);
}

#[test]
fn the_page_for_security_officers_is_true() {
    let page = include_str!("../../../../docs/start/security-officer.md");
    Newcomer::follows("security-officer", page);
}

#[test]
fn the_page_for_admins_of_a_consortium_is_true() {
    let page = include_str!("../../../../docs/start/consortium-admin.md");
    Newcomer::follows("consortium-admin", page);
}
