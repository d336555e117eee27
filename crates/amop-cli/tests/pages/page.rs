//! Reads a page as somebody who follows it does.
//!
//! - A `console` block is typed line by line: `$ ` begins a command, `> ` goes on with it, all else is what is seen.
//! - If the sentences before it speak of *another terminal*, a new one is opened, and its last command stays there.
//! - A `text` block after sentences that say what *that terminal* shows is what the one opened last goes on to show.
//! - A block after sentences that begin with *Write* is written to the last file that they name in backticks.
//! - Every other block is there to be read.

/// What is to be done, in its order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A terminal is opened beside those that are there.
    Open,
    /// A command is typed; if it `stays`, nobody waits for its end.
    Type { command: String, shows: Vec<String>, stays: bool },
    /// The terminal that was opened last shows more.
    Shows(Vec<String>),
    /// A file is written.
    Write { path: String, text: String },
    /// All that follows is typed into the first terminal again.
    Return,
}

/// Reads the steps of a page.
pub(crate) fn steps(markdown: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut said = String::new();
    let mut lines = markdown.lines();
    while let Some(line) = lines.next() {
        if let Some(kind) = line.strip_prefix("```") {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            read_block(kind, &block, &said, &mut steps);
            said.clear();
        } else if line.is_empty() {
            said.push('\n');
        } else {
            // Only the paragraph right before a block speaks of it.
            if said.ends_with('\n') {
                said.clear();
            }
            said.push_str(line);
            said.push(' ');
        }
    }
    steps
}

fn read_block(kind: &str, block: &[&str], said: &str, steps: &mut Vec<Step>) {
    match kind {
        "console" if said.contains("another terminal") => {
            steps.push(Step::Open);
            commands(block, true, steps);
            steps.push(Step::Return);
        }
        "console" => commands(block, false, steps),
        "text" if said.contains("that terminal") => {
            steps.push(Step::Shows(block.iter().map(ToString::to_string).collect()));
        }
        _ if said.starts_with("Write ") => {
            let path = said.split('`').nth_back(1).expect("a file is named").to_owned();
            steps.push(Step::Write { path, text: block.join("\n") + "\n" });
        }
        _ => {}
    }
}

fn commands(block: &[&str], last_stays: bool, steps: &mut Vec<Step>) {
    let first = steps.len();
    for line in block {
        if let Some(command) = line.strip_prefix("$ ") {
            let (command, shows) = (command.to_owned(), Vec::new());
            steps.push(Step::Type { command, shows, stays: false });
            continue;
        }
        let Some(Step::Type { command, shows, .. }) = steps[first..].last_mut() else {
            panic!("a block begins with a command: {block:#?}");
        };
        match line.strip_prefix("> ") {
            Some(rest) => *command += &format!("\n{rest}"),
            None => shows.push((*line).to_owned()),
        }
    }
    if let Some(Step::Type { stays, .. }) = steps.last_mut() {
        *stays = last_stays;
    }
}

#[test]
fn a_page_is_read_as_it_is_meant() {
    let page = "# Title\n\nType this:\n\n```console\n$ one\nseen\n$ two \\\n> three\n```\n\n\
                Start it in another terminal:\n\n```console\n$ cd x\n$ amop-node\nstarted\n```\n\n\
                Write this to `x/a.toml`:\n\n```toml\na = 1\n```\n\n\
                In that terminal you see:\n\n```text\nmore\n```\n\nTo read:\n\n```text\nno\n```\n";
    let typed = |command: &str, shows: &[&str], stays| Step::Type {
        command: command.into(),
        shows: shows.iter().map(ToString::to_string).collect(),
        stays,
    };
    let expected = [
        typed("one", &["seen"], false),
        typed("two \\\nthree", &[], false),
        Step::Open,
        typed("cd x", &[], false),
        typed("amop-node", &["started"], true),
        Step::Return,
        Step::Write { path: "x/a.toml".into(), text: "a = 1\n".into() },
        Step::Shows(vec!["more".into()]),
    ];
    assert_eq!(steps(page), expected);
}
