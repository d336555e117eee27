//! `amop errors`: what the codes and kinds of errors mean, and what to do about them, in English and Chinese.
//!
//! Codes are the contract, so they have pages; kinds say how it came to a code, or why the tool could not even begin, and have
//! a sentence and a hint. Tests walk all of them, and a failure of a kind that has none does not compile: see [`kind`].

mod codes;
mod kinds;
mod own;

use amop_wire::{Code, Reason};
use clap::{Args as Arguments, ValueEnum};
use serde::Serialize;

use crate::exit::{Exit, Failure};
use crate::out::Out;

/// `amop errors`.
#[derive(Clone, Debug, Arguments)]
pub(crate) struct Errors {
    /// A code such as 102, or a kind such as no-subscriber; all codes without it
    #[arg(value_name = "CODE | KIND")]
    which: Option<String>,
}

/// A language of explanations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Lang {
    /// English
    #[default]
    En,
    /// Chinese
    Zh,
}

impl Lang {
    /// What was chosen, or what the environment speaks.
    pub(crate) fn of(chosen: Option<Self>) -> Self {
        let spoken = || std::env::var("LANG").unwrap_or_default();
        chosen.unwrap_or_else(|| if spoken().starts_with("zh") { Self::Zh } else { Self::En })
    }

    fn pick<T>(self, [english, chinese]: [T; 2]) -> T {
        match self {
            Self::En => english,
            Self::Zh => chinese,
        }
    }
}

/// What there is to say about a code. Each text is in English and in Chinese.
#[derive(Debug)]
struct Page {
    title: [&'static str; 2],
    meaning: [&'static str; 2],
    /// The likely ones first.
    causes: [&'static [&'static str]; 2],
    next: [&'static str; 2],
}

/// What there is to say about a kind.
#[derive(Debug)]
struct Hint {
    chinese: &'static str,
    next: [&'static str; 2],
}

/// What there is to say about a kind of the tool itself.
#[derive(Debug)]
struct Own {
    name: &'static str,
    meaning: [&'static str; 2],
    next: [&'static str; 2],
}

/// A kind of failure that [`run`] explains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind(&'static str);

/// One of the tool's own kinds, by its name.
macro_rules! kind {
    ($name:literal) => {
        const { $crate::errors::Kind::own($name) }
    };
}
pub(crate) use kind;

impl Kind {
    /// One of the tool's own. Panics for any other, which no build survives: [`kind`] calls it while compiling.
    pub(crate) const fn own(name: &'static str) -> Self {
        let mut number = 0;
        while number < own::OWN.len() {
            if is_same(own::OWN[number].name.as_bytes(), name.as_bytes()) {
                return Self(name);
            }
            number += 1;
        }
        panic!("errors/own.rs does not explain this kind");
    }

    /// Its stable name.
    pub(crate) fn as_str(self) -> &'static str {
        self.0
    }
}

impl From<Reason> for Kind {
    fn from(reason: Reason) -> Self {
        Self(reason.kind())
    }
}

/// Compares while compiling, where `==` on strings cannot.
const fn is_same(a: &[u8], b: &[u8]) -> bool {
    let mut at = 0;
    while at < a.len() && at < b.len() && a[at] == b[at] {
        at += 1;
    }
    at == a.len() && at == b.len()
}

/// Tells about one of them, or about all codes.
pub(crate) fn run(args: &Errors, lang: Lang, out: &mut Out) -> Result<(), Failure> {
    let Some(which) = &args.which else {
        return Code::ALL.into_iter().try_for_each(|code| match out.is_json() {
            true => out.json(&object(code, lang)),
            false => {
                out.line(format!("{:>3}  {}", code.number(), lang.pick(codes::page(code).title)))
            }
        });
    };
    if let Some(code) = which.parse().ok().and_then(Code::from_number) {
        return match out.is_json() {
            true => out.json(&object(code, lang)),
            false => out.line(text_of_code(code, lang)),
        };
    }
    if let Some(reason) = Reason::ALL.iter().find(|reason| reason.kind() == which) {
        return match out.is_json() {
            true => out.json(&KindObject {
                kind_of_object: "kind",
                kind: reason.kind(),
                sentence: sentence(*reason, lang),
                next: lang.pick(kinds::hint(*reason).next),
            }),
            false => out.line(text_of_kind(*reason, lang)),
        };
    }
    if let Some(own) = own::OWN.iter().find(|own| own.name == which) {
        let (sentence, next) = (lang.pick(own.meaning), lang.pick(own.next));
        return match out.is_json() {
            true => {
                out.json(&KindObject { kind_of_object: "kind", kind: own.name, sentence, next })
            }
            false => out.line(text_of(own.name, sentence, next, lang)),
        };
    }
    let sentence = format!("there is no code and no kind `{which}`");
    let names = Reason::ALL.iter().map(|reason| reason.kind());
    let near =
        names.chain(own::OWN.iter().map(|own| own.name)).find(|name| name.contains(which.as_str()));
    let next = match near {
        Some(name) => format!("did you mean `{name}`?"),
        None => "`amop errors` lists the codes".to_owned(),
    };
    Err(Failure::new(Exit::USAGE, kind!("unknown-error"), sentence).next(next))
}

/// What a person who reads Chinese is told of a failure besides the rest: what it means, and what to do.
pub(crate) fn in_chinese(code: Option<Code>, Kind(kind): Kind) -> [String; 2] {
    let title = |meaning: &str| match code {
        Some(code) => format!("{}：{meaning}", codes::page(code).title[1]),
        None => meaning.to_owned(),
    };
    if let Some(own) = own::OWN.iter().find(|own| own.name == kind) {
        return [title(own.meaning[1]), own.next[1].to_owned()];
    }
    let reason = Reason::ALL.iter().find(|reason| reason.kind() == kind);
    match (reason, code) {
        (Some(&Reason::Unspecified) | None, Some(code)) => {
            let page = codes::page(code);
            [title(page.meaning[1]), page.next[1].to_owned()]
        }
        (reason, _) => {
            let hint = kinds::hint(reason.copied().unwrap_or(Reason::Unspecified));
            [title(hint.chinese), hint.next[1].to_owned()]
        }
    }
}

fn sentence(reason: Reason, lang: Lang) -> &'static str {
    lang.pick([reason.sentence(), kinds::hint(reason).chinese])
}

fn text_of_code(code: Code, lang: Lang) -> String {
    let page = codes::page(code);
    let [causes, next] = lang.pick([["likely", "next"], ["可能的原因", "下一步"]]);
    let mut text =
        format!("{} {}\n{}", code.number(), lang.pick(page.title), lang.pick(page.meaning));
    if !lang.pick(page.causes).is_empty() {
        text += &format!("\n\n{causes}");
        for cause in lang.pick(page.causes) {
            text += &format!("\n  - {cause}");
        }
    }
    text + &format!("\n\n{next}\n  {}", lang.pick(page.next))
}

fn text_of_kind(reason: Reason, lang: Lang) -> String {
    text_of(reason.kind(), sentence(reason, lang), lang.pick(kinds::hint(reason).next), lang)
}

fn text_of(kind: &str, sentence: &str, hint: &str, lang: Lang) -> String {
    let next = lang.pick(["next", "下一步"]);
    format!("{kind}\n{sentence}\n\n{next}\n  {hint}")
}

/// A code, for programs.
#[derive(Serialize)]
struct CodeObject {
    #[serde(rename = "type")]
    kind_of_object: &'static str,
    code: u8,
    title: &'static str,
    meaning: &'static str,
    causes: &'static [&'static str],
    next: &'static str,
    may_have_been_handled: bool,
}

/// A kind, for programs.
#[derive(Serialize)]
struct KindObject {
    #[serde(rename = "type")]
    kind_of_object: &'static str,
    kind: &'static str,
    sentence: &'static str,
    next: &'static str,
}

fn object(code: Code, lang: Lang) -> CodeObject {
    let page = codes::page(code);
    CodeObject {
        kind_of_object: "code",
        code: code.number(),
        title: lang.pick(page.title),
        meaning: lang.pick(page.meaning),
        causes: lang.pick(page.causes),
        next: lang.pick(page.next),
        may_have_been_handled: code.may_have_been_handled(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_chinese(text: &str) -> bool {
        text.chars().any(|char| ('\u{4e00}'..='\u{9fff}').contains(&char))
    }

    #[test]
    fn every_code_has_a_page_in_both_languages() {
        for code in Code::ALL {
            let Page { title, meaning, causes, next } = codes::page(code);
            for [english, chinese] in [title, meaning, next] {
                assert!(!english.is_empty() && !is_chinese(english), "{code}: {english}");
                assert!(is_chinese(chinese), "{code}: {chinese}");
            }
            assert_eq!(causes[0].len(), causes[1].len(), "{code}: the same causes");
            assert!(causes[1].iter().all(|cause| is_chinese(cause)), "{code}");
        }
    }

    #[test]
    fn every_kind_has_a_hint_in_both_languages_and_no_two_are_the_same() {
        let mut seen = std::collections::BTreeSet::new();
        for &reason in Reason::ALL {
            let Hint { chinese, next } = kinds::hint(reason);
            assert!(is_chinese(chinese) && is_chinese(next[1]), "{reason:?}");
            assert!(!next[0].is_empty() && !is_chinese(next[0]), "{reason:?}");
            assert!(seen.insert(*chinese), "{reason:?} says what another says: {chinese}");
        }
    }

    #[test]
    fn every_kind_of_the_tool_itself_is_explained_in_both_languages_and_stands_in_order() {
        for Own { name, meaning, next } in own::OWN {
            for [english, chinese] in [meaning, next] {
                assert!(!english.is_empty() && !is_chinese(english), "{name}: {english}");
                assert!(is_chinese(chinese), "{name}: {chinese}");
            }
            let is_reason = Reason::ALL.iter().any(|reason| reason.kind() == *name);
            assert!(!is_reason, "{name} is a reason that nodes give");
        }
        assert!(own::OWN.is_sorted_by(|a, b| a.name < b.name));
    }

    #[test]
    fn a_failure_is_explained_in_chinese_by_its_kind_or_else_by_its_code() {
        let [meaning, next] = in_chinese(Some(Code::NoSubscriber), Reason::NoSubscriber.into());
        assert!(meaning.contains("订阅") && next.contains("amop who"), "{meaning} {next}");
        let [meaning, _] = in_chinese(Some(Code::TimedOut), Reason::Unspecified.into());
        assert!(meaning.contains(codes::page(Code::TimedOut).meaning[1]), "{meaning}");
        let [meaning, next] = in_chinese(None, kind!("no-node"));
        assert!(meaning.contains("节点") && next.contains("amop-node"), "{meaning} {next}");
    }
}
