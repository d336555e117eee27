//! Compares what is seen with what a page says.
//!
//! In a page `…` within a line stands for any characters, a line of `…` alone for any lines, also none.

/// Whether these are the lines that the page says, from the first to the last.
pub(crate) fn is_as_said(said: &[String], seen: &[String]) -> bool {
    match said.split_first() {
        None => seen.is_empty(),
        Some((first, rest)) if first == "…" => {
            (0..=seen.len()).any(|skipped| is_as_said(rest, &seen[skipped..]))
        }
        Some((first, rest)) => match seen.split_first() {
            Some((line, others)) => line_is(first, line) && is_as_said(rest, others),
            None => false,
        },
    }
}

/// How many lines must have been seen to have seen what the page says, whatever follows; `None` if more must come.
pub(crate) fn lines_of(said: &[String], seen: &[String]) -> Option<usize> {
    (0..=seen.len()).find(|&count| is_as_said(said, &seen[..count]))
}

fn line_is(said: &str, seen: &str) -> bool {
    let mut parts = said.trim_end().split('…');
    let Some(mut rest) = seen.trim_end().strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

/// The lines of what came from a terminal, without what moves its cursor or gives colour.
pub(crate) fn lines(text: &str) -> Vec<String> {
    text.lines().map(|line| plain(line).trim_end().to_owned()).collect()
}

fn plain(line: &str) -> String {
    // What was drawn before a line was erased is seen no more.
    let line = line.rsplit("\u{1b}[2K").next().unwrap_or_default();
    let mut plain = String::new();
    let mut chars = line.chars();
    while let Some(char) = chars.next() {
        match char {
            '\u{1b}' => {
                let _ = chars.by_ref().skip(1).find(char::is_ascii_alphabetic);
            }
            '\r' => {}
            _ => plain.push(char),
        }
    }
    plain
}

#[cfg(test)]
fn strings(lines: &[&str]) -> Vec<String> {
    lines.iter().map(ToString::to_string).collect()
}

#[test]
fn an_ellipsis_stands_for_what_varies_and_nothing_else_does() {
    for said in ["n1 … up", "…n1 is up", "n1 is up…", "n1 is up", "…", "n1…is…up"] {
        assert!(is_as_said(&strings(&[said]), &strings(&["n1 is up"])), "{said}");
    }
    for said in ["n1 … down", "n1", "is…", "…is", "n1 is up …", "up…n1"] {
        assert!(!is_as_said(&strings(&[said]), &strings(&["n1 is up"])), "{said}");
    }
    let seen = strings(&["a", "b", "c"]);
    assert!(is_as_said(&strings(&["a", "…", "c"]), &seen));
    assert!(is_as_said(&strings(&["a", "…", "b", "c", "…"]), &seen));
    assert!(!is_as_said(&strings(&["a", "c"]), &seen) && !is_as_said(&strings(&["a", "b"]), &seen));
    assert_eq!(lines_of(&strings(&["a", "b"]), &seen), Some(2));
    assert_eq!(lines_of(&strings(&["…", "b"]), &seen), Some(2));
    assert_eq!(lines_of(&strings(&["b"]), &seen), None);
}

#[test]
fn what_a_terminal_erases_or_colours_is_not_seen() {
    let text = "waiting\r\u{1b}[2K\u{1b}[2mdone\u{1b}[0m \r\n7.1234\r\n";
    assert_eq!(lines(text), ["done", "7.1234"]);
}
