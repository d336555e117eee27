//! `amop pub` and `amop request`: one message, and how it ended.

use amop_sdk::{
    Answer, AnswerStatus, Bytes, Client, Code, MulticastReceipt, Name, PublicKey, PublishError,
    Reason,
};
use serde::Serialize;

use crate::args::{self, LinkArgs, TermsArgs};
use crate::connect::connect;
use crate::errors::kind;
use crate::exit::{Failure, chain};
use crate::key;
use crate::out::Out;
use crate::payload;
use crate::text::{Payload, millis, printable, size, span};

/// Sends a message to one subscriber or to all, and says what became of it.
pub(crate) async fn publish(
    args: &args::Publish,
    link: &LinkArgs,
    out: &mut Out,
) -> Result<(), Failure> {
    let (topic, payload) = (&args.topic, payload::read(&args.payload).await?);
    let keys = key::receivers(&args.seal)?;
    let client = connect(link).await?;
    make_private(&client, topic, keys)?;
    if args.multicast {
        let sent = size(payload.len());
        let ended = client.multicast(topic, payload).await;
        client.close().await;
        let receipt = ended.map_err(|error| failed(topic, &error))?;
        return show_receipt(topic, &sent, &receipt, out);
    }
    let ended = ask(&client, topic, payload, &args.terms).await;
    client.close().await;
    let answer = ended?;
    if out.is_json() {
        return out.json(&AnswerObject::new(topic, &answer));
    }
    out.aside(format!("handled, answer {}, {}", size(answer.payload.len()), summary(&answer)));
    Ok(())
}

/// Sends a message to one subscriber and prints its answer.
pub(crate) async fn request(
    args: &args::Request,
    link: &LinkArgs,
    out: &mut Out,
) -> Result<(), Failure> {
    let (topic, payload) = (&args.topic, payload::read(&args.payload).await?);
    let keys = key::receivers(&args.seal)?;
    let client = connect(link).await?;
    make_private(&client, topic, keys)?;
    let ended = ask(&client, topic, payload, &args.terms).await;
    client.close().await;
    let answer = ended?;
    if out.is_json() {
        return out.json(&AnswerObject::new(topic, &answer));
    }
    if out.is_terminal() {
        out.line(printable(&answer.payload).trim_end_matches('\n'))?;
    } else {
        out.bytes(&answer.payload)?;
    }
    out.aside(format!("  {}", summary(&answer)));
    Ok(())
}

/// Seals what is sent to a topic for these keys, if there are any.
pub(crate) fn make_private(
    client: &Client,
    topic: &str,
    keys: Vec<PublicKey>,
) -> Result<(), Failure> {
    if keys.is_empty() {
        return Ok(());
    }
    client
        .private(topic)
        .to(keys)
        .map(drop)
        .map_err(|error| Failure::of_code(Code::Invalid, kind!("not-private"), chain(&error)))
}

/// Gets an answer out of a subscriber, and a good one.
async fn ask(
    client: &Client,
    topic: &str,
    payload: Bytes,
    terms: &TermsArgs,
) -> Result<Answer, Failure> {
    let mut request = client.request(topic, payload);
    if terms.at_least_once {
        request = request.at_least_once();
    }
    if let Some(name) = &terms.idempotency_key {
        request = request.idempotency_key(name);
    }
    let answer = request.await.map_err(|error| failed(topic, &error))?;
    let (kind, sentence) = match answer.status {
        AnswerStatus::Answered => return Ok(answer),
        AnswerStatus::Failed => {
            let text = printable(&answer.payload);
            (
                kind!("handler-failed"),
                format!("the subscriber handled the message and failed: {text}"),
            )
        }
        AnswerStatus::Dropped => (
            kind!("handler-dropped"),
            "the subscriber took the message and did not answer it".to_owned(),
        ),
    };
    let failure = Failure::of_handler(kind, sentence).id(answer.id);
    Err(match &answer.answered_by {
        Some(node) => failure.node(node.to_string()),
        None => failure,
    })
}

fn show_receipt(
    topic: &str,
    sent: &str,
    receipt: &MulticastReceipt,
    out: &mut Out,
) -> Result<(), Failure> {
    let MulticastReceipt { id, targets, acked, refused, unknown, took, .. } = *receipt;
    if out.is_json() {
        return out.json(&ReceiptObject {
            kind_of_object: "receipt",
            code: Code::Ok.number(),
            id: id.to_string(),
            topic,
            targets,
            acked,
            refused,
            unknown,
            ms: millis(took),
        });
    }
    let took = span(took);
    let mut line = format!("multicast `{topic}` {sent} → {acked} of {targets} subscribers");
    for (count, what) in [(refused, "refused"), (unknown, "unknown")] {
        if count > 0 {
            line.push_str(&format!(", {count} {what}"));
        }
    }
    out.line(format!("{line}  {id}  {took}"))
}

/// By whom, how fast, which.
fn summary(answer: &Answer) -> String {
    let by = match &answer.answered_by {
        Some(node) => format!("at {node} "),
        None => String::new(),
    };
    format!("{by}in {}  {}", span(answer.took), answer.id)
}

/// What a publish that failed means for whoever typed it.
fn failed(topic: &str, error: &PublishError) -> Failure {
    let (code, reason) = (error.code(), error.reason());
    let sentence = match (reason, error.id()) {
        (Reason::NoSubscriber | Reason::NoPath, _) => format!("{reason} for `{topic}`"),
        (_, Some(_)) => reason.to_string(),
        // It was refused by the client itself, which knows more than the reason.
        (_, None) => {
            let text = error.to_string();
            text.strip_prefix(&format!("{code}: ")).unwrap_or(&text).to_owned()
        }
    };
    let mut failure = Failure::of_code(code, reason.into(), sentence);
    if let Some(id) = error.id() {
        failure = failure.id(id);
    }
    if !error.tried().is_empty() {
        let tried: Vec<_> = error.tried().iter().map(ToString::to_string).collect();
        failure = failure.node(tried.join(", "));
    }
    if reason == Reason::NoVerifiedReceiver {
        let text = format!(
            "who is to read it runs `amop sub {topic} --topic-key FILE`; then send it again"
        );
        return failure.next(text);
    }
    if let Some(wait) = error.retry_after() {
        let text = format!("the message was not handled; send it again in {}", span(wait));
        return failure.retry_after(wait).next(text);
    }
    match next(code, topic) {
        Some(next) => failure.next(next),
        None => failure,
    }
}

/// What to do about a code. "Again" is said only where the message was certainly not handled.
fn next(code: Code, topic: &str) -> Option<String> {
    Some(match code {
        Code::NotSent => "does the node run? The message was not handled; send it again".to_owned(),
        Code::NoSubscriber => {
            format!("is the topic spelt right? `amop sub {topic}` subscribes; then send it again")
        }
        Code::SubscriberUnreachable => {
            "the subscriber is gone or busy. The message was not handled; send it again".to_owned()
        }
        Code::TimedOut => "it may have been handled: ask the subscriber before you send it again. \
             --timeout waits longer"
            .to_owned(),
        Code::Limited | Code::Draining | Code::Overloaded => {
            "the message was not handled; send it again in a while".to_owned()
        }
        Code::NotPermitted => {
            format!("at the node, `amop acl explain NAME publish {topic}` says which rule")
        }
        Code::Ok | Code::Invalid | Code::IdReused | Code::FileRefused => return None,
    })
}

/// An answer for programs.
#[derive(Serialize)]
struct AnswerObject<'a> {
    #[serde(rename = "type")]
    kind_of_object: &'static str,
    code: u8,
    id: String,
    topic: &'a str,
    node: Option<&'a str>,
    attempts: u32,
    ms: f64,
    #[serde(flatten)]
    payload: Payload,
}

impl<'a> AnswerObject<'a> {
    fn new(topic: &'a str, answer: &'a Answer) -> Self {
        Self {
            kind_of_object: "answer",
            code: Code::Ok.number(),
            id: answer.id.to_string(),
            topic,
            node: answer.answered_by.as_ref().map(Name::as_dns),
            attempts: answer.attempts,
            ms: millis(answer.took),
            payload: Payload::of(&answer.payload),
        }
    }
}

/// A receipt for programs.
#[derive(Serialize)]
struct ReceiptObject<'a> {
    #[serde(rename = "type")]
    kind_of_object: &'static str,
    code: u8,
    id: String,
    topic: &'a str,
    targets: u32,
    acked: u32,
    refused: u32,
    unknown: u32,
    ms: f64,
}
