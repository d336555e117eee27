//! `amop errors`: what the codes and kinds of errors mean, and what to do about them, in English and Chinese.
//!
//! Codes are the contract, so they have pages; kinds say how it came to a code, and have a sentence and a hint. A test walks
//! all of them.

mod codes;
mod kinds;

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
    let sentence = format!("there is no code and no kind `{which}`");
    let near = Reason::ALL.iter().find(|reason| reason.kind().contains(which.as_str()));
    let next = match near {
        Some(reason) => format!("did you mean `{}`?", reason.kind()),
        None => "`amop errors` lists the codes".to_owned(),
    };
    Err(Failure::new(Exit::USAGE, "unknown-error", sentence).next(next))
}

/// What a person who reads Chinese is told of a failure besides the rest: what it means, and what to do.
pub(crate) fn in_chinese(code: Code, kind: &str) -> [String; 2] {
    match Reason::ALL.iter().find(|reason| reason.kind() == kind) {
        Some(&reason) if reason != Reason::Unspecified => {
            let hint = kinds::hint(reason);
            let title = codes::page(code).title[1];
            [format!("{title}：{}", hint.chinese), hint.next[1].to_owned()]
        }
        _ => {
            let page = codes::page(code);
            [format!("{}：{}", page.title[1], page.meaning[1]), page.next[1].to_owned()]
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
    let next = lang.pick(["next", "下一步"]);
    let hint = lang.pick(kinds::hint(reason).next);
    format!("{}\n{}\n\n{next}\n  {hint}", reason.kind(), sentence(reason, lang))
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
    fn a_failure_is_explained_in_chinese_by_its_kind_or_else_by_its_code() {
        let [meaning, next] = in_chinese(Code::NoSubscriber, "no-subscriber");
        assert!(meaning.contains("订阅") && next.contains("amop who"), "{meaning} {next}");
        let [meaning, _] = in_chinese(Code::TimedOut, "some-kind");
        assert!(meaning.contains(codes::page(Code::TimedOut).meaning[1]), "{meaning}");
    }
}
