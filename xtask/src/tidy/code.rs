//! Tells code from comments and literals, as far as searching for words needs it.
//!
//! This is no parser: it knows just enough of Rust's lexical rules that a word in a comment or in
//! a message is not taken for code, and that a `//` in a string does not hide the code after it.

/// Blanks comments and string and character literals; line numbers stay what they were.
pub(super) fn code_only(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    let mut previous = ' ';
    while let Some(next) = rest.chars().next() {
        let hidden_bytes = hidden_bytes(rest, previous);
        if hidden_bytes == 0 {
            code.push(next);
            previous = next;
            rest = &rest[next.len_utf8()..];
        } else {
            let (hidden, after) = rest.split_at(hidden_bytes);
            code.extend(hidden.chars().map(|char| if char == '\n' { '\n' } else { ' ' }));
            previous = ' ';
            rest = after;
        }
    }
    code
}

/// Finds a word or a path such as `std::net` in code, and gives the lines, counted from one.
///
/// `net` is found in `a::net` and `net::a`, yet not in `network` or `subnet`.
pub(super) fn lines_with(code: &str, word: &str) -> Vec<usize> {
    let is_whole = |&(start, _): &(usize, &str)| {
        let before = code[..start].chars().next_back();
        let after = code[start + word.len()..].chars().next();
        let goes_on_before = word.starts_with(is_word) && before.is_some_and(is_word);
        let goes_on_after = word.ends_with(is_word) && after.is_some_and(is_word);
        !goes_on_before && !goes_on_after
    };
    code.match_indices(word).filter(is_whole).map(|(start, _)| line_at(code, start)).collect()
}

/// Gives the line, counted from one, of a place in a text.
pub(super) fn line_at(text: &str, offset_bytes: usize) -> usize {
    text[..offset_bytes].matches('\n').count() + 1
}

/// Gives the length of the comment or literal that `rest` starts with; zero if there is none.
fn hidden_bytes(rest: &str, previous: char) -> usize {
    if rest.starts_with("//") {
        rest.find('\n').unwrap_or(rest.len())
    } else if rest.starts_with("/*") {
        block_comment_bytes(rest)
    } else if rest.starts_with('"') {
        quoted_bytes(rest, '"')
    } else if rest.starts_with('\'') {
        character_bytes(rest)
    } else if is_word(previous) {
        0 // The `r` of `for"` ends a word, it does not start a raw string.
    } else {
        raw_string_bytes(rest)
    }
}

/// Block comments nest.
fn block_comment_bytes(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        let tail = &rest.as_bytes()[at..];
        if tail.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if tail.starts_with(b"*/") {
            depth -= 1;
            at += 2;
        } else {
            at += 1;
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn quoted_bytes(rest: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, char) in rest.char_indices().skip(1) {
        if is_escaped {
            is_escaped = false;
        } else if char == '\\' {
            is_escaped = true;
        } else if char == quote {
            return at + char.len_utf8();
        }
    }
    rest.len()
}

/// A quote starts a character, unless it starts a lifetime such as `'a`.
fn character_bytes(rest: &str) -> usize {
    let mut chars = rest.chars().skip(1);
    match (chars.next(), chars.next()) {
        (Some('\\'), _) => quoted_bytes(rest, '\''),
        (Some(char), Some('\'')) => char.len_utf8() + 2,
        _ => 0,
    }
}

fn raw_string_bytes(rest: &str) -> usize {
    let Some(after_r) = ["r", "br", "cr"].iter().find_map(|prefix| rest.strip_prefix(prefix))
    else {
        return 0;
    };
    let body = after_r.trim_start_matches('#');
    let hashes = "#".repeat(after_r.len() - body.len());
    let Some(body) = body.strip_prefix('"') else { return 0 };
    let end = format!("\"{hashes}");
    let body_start = rest.len() - body.len();
    body.find(&end).map_or(rest.len(), |at| body_start + at + end.len())
}

/// Says whether `char` can be part of an identifier.
pub(super) fn is_word(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

#[cfg(test)]
mod tests {
    use super::{code_only, line_at, lines_with};

    #[test]
    fn comments_are_no_code() {
        assert_eq!(code_only("a // b\nc /// d\n//! e"), "a     \nc      \n     ");
        assert_eq!(code_only("a /* b /* c */ d\n */ e"), "a               \n    e");
        assert_eq!(code_only("a / b * c"), "a / b * c");
        assert_eq!(code_only("a /* unclosed").trim_end(), "a");
    }

    #[test]
    fn literals_are_no_code_and_hide_no_code() {
        for (text, code) in [
            (r#"f("http://x"); g()"#, "f(); g()"),
            (r#"f("\"//"); g()"#, "f(); g()"),
            (r##"f(r#"a " // "#); g()"##, "f(); g()"),
            (r#"f(br"\"); g()"#, "f(); g()"),
            (r#"f(b"//"); g()"#, "f(b); g()"),
            (r"f('\'', '/', 'é'); g()", "f(,,); g()"),
            (r"f::<'a>('\u{41}'); g::<'_>()", "f::<'a>(); g::<'_>()"),
            (r#"r#for("x")"#, "r#for()"),
        ] {
            assert_eq!(code_only(text).replace(' ', ""), code.replace(' ', ""), "{text}");
        }
    }

    #[test]
    fn lines_keep_their_numbers() {
        let code = code_only("\"a\nb\"\n/* c\n*/ d");
        assert_eq!(lines_with(&code, "d"), [4]);
        assert_eq!(line_at("a\nb", 0), 1);
        assert_eq!(line_at("a\nb", 2), 2);
    }

    #[test]
    fn only_whole_words_are_found() {
        let code = "std::net::a\nstd::network\nmystd::net\n::std::net;\nx.await";
        assert_eq!(lines_with(code, "std::net"), [1, 4]);
        assert_eq!(lines_with(code, ".await"), [5]);
        assert_eq!(lines_with(code, "await"), [5]);
        assert_eq!(lines_with(code, "awa"), [] as [usize; 0]);
    }
}
