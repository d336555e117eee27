//! `amop sub`: prints messages, and answers them.
//!
//! A message is answered once it is printed. If printing fails, because the reader of a pipe went
//! away, its publisher learns that it was dropped. However the command ends, the node is told, so
//! that no later message is lost on the way here.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use amop_sdk::{Client, Event, Message, Mode, SecretKey, SubscribeError, Subscription};
use amop_wire::Reason;
use futures_util::StreamExt;
use serde::Serialize;
use tokio::time::sleep;

use crate::args::{LinkArgs, Sub};
use crate::clock::{self, Timestamp};
use crate::connect::connect;
use crate::errors::kind;
use crate::exit::{Exit, Failure};
use crate::key;
use crate::out::Out;
use crate::stop::{Asked, Stop};
use crate::text::{Payload, printable, size};

/// Prints messages until as many came as were wanted, the time is over, the reader of the output
/// is gone, or a signal asks for the end.
pub(crate) async fn run(
    args: &Sub,
    link: &LinkArgs,
    out: &mut Out,
    stop: &Stop,
) -> Result<(), Failure> {
    let key = key::held(&args.held)?;
    let client = tokio::select! {
        client = connect(link) => client?,
        asked = stop.asked() => return Err(Failure::Stopped(asked)),
    };
    let ended = print_messages(&client, args, key, out, stop).await;
    client.close().await;
    ended
}

async fn print_messages(
    client: &Client,
    args: &Sub,
    key: Option<SecretKey>,
    out: &mut Out,
    stop: &Stop,
) -> Result<(), Failure> {
    let mut events = client.events();
    let mut subscriptions = Subscriptions::open(client, args, key).await?;
    out.note(format!("subscribed to {}", subscriptions.names()));

    let mut reader_gone = pin!(Out::reader_gone());
    let mut over = pin!(async {
        match args.span {
            Some(span) => sleep(span).await,
            None => std::future::pending().await,
        }
    });
    let mut count = 0;
    while args.count != Some(count) {
        let message = tokio::select! {
            biased; // Messages without end do not keep the command from ending.
            asked = stop.asked() => return stopped(asked, count),
            () = &mut over => return enough(count, args),
            () = &mut reader_gone => return Err(Failure::ClosedPipe),
            message = subscriptions.next() => message?,
            event = events.next() => {
                tell(event.as_ref(), out);
                continue;
            }
        };
        print(&message, args.raw, out)?;
        answer(message, &args.reply, out);
        count += 1;
    }
    Ok(())
}

/// Subscriptions whose messages come in one line.
struct Subscriptions {
    open: Vec<Subscription>,
    /// Where to look first, so that a busy topic does not hide the others.
    first: usize,
}

impl Subscriptions {
    async fn open(client: &Client, args: &Sub, key: Option<SecretKey>) -> Result<Self, Failure> {
        let mut open: Vec<Subscription> = Vec::new();
        for topic in &args.topics {
            if open.iter().any(|subscription| subscription.topic().as_str() == topic) {
                continue; // Typed twice.
            }
            let subscribe = match &key {
                Some(key) => client.subscribe_private(topic, key.clone()),
                None => client.subscribe(topic),
            };
            let subscribe = if args.propagated { subscribe.propagated() } else { subscribe };
            open.push(subscribe.await.map_err(|error| not_subscribed(&error))?);
        }
        Ok(Self { open, first: 0 })
    }

    fn names(&self) -> String {
        let names = self.open.iter().map(|subscription| format!("`{}`", subscription.topic()));
        names.collect::<Vec<_>>().join(", ")
    }

    async fn next(&mut self) -> Result<Message, Failure> {
        poll_fn(|cx| {
            for offset in 0..self.open.len() {
                let index = (self.first + offset) % self.open.len();
                let subscription = &mut self.open[index];
                match subscription.poll_next_unpin(cx) {
                    Poll::Pending => {}
                    Poll::Ready(Some(message)) => {
                        self.first = index + 1;
                        return Poll::Ready(Ok(message));
                    }
                    Poll::Ready(None) => {
                        let why = subscription.why_ended().unwrap_or(SubscribeError::Closed);
                        return Poll::Ready(Err(not_subscribed(&why)));
                    }
                }
            }
            Poll::Pending
        })
        .await
    }
}

fn print(message: &Message, raw: bool, out: &mut Out) -> Result<(), Failure> {
    let (payload, now) = (message.payload(), Timestamp::of(clock::wall()));
    if let Some(gap) = message.gap().filter(|_| !out.is_json()) {
        let (count, from, topic) = (gap.count, message.from(), message.topic());
        out.note(format!("{count} multicasts of {from} to `{topic}` are missing here"));
    }
    if raw {
        return out.bytes(payload);
    }
    if out.is_json() {
        return out.json(&MessageObject {
            kind_of_object: "message",
            id: message.id().to_string(),
            topic: message.topic().as_str(),
            mode: mode(message),
            from: message.from().as_dns(),
            ts: now.to_string(),
            missing_before: message.gap().map_or(0, |gap| gap.count),
            payload: Payload::of(payload),
        });
    }
    let header = out.dim(format!(
        "{}  {}  {}  {} {}  {}",
        now.time_of_day(),
        message.topic(),
        message.from(),
        mode(message),
        size(payload.len()),
        message.id(),
    ));
    // In one piece: a reader that takes the first line gets all of the message or nothing.
    out.line(format!("{header}\n{}", printable(payload)))
}

fn answer(message: Message, reply: &str, out: &Out) {
    if message.mode() == Mode::Multicast {
        return;
    }
    let id = message.id();
    if let Err(error) = message.reply(reply.to_owned()) {
        out.note(format!("{id} is not answered: {error}"));
    }
}

/// Says what happened to the connection.
fn tell(event: Option<&Event>, out: &Out) {
    match event {
        Some(Event::Connected { endpoint, node }) => {
            out.note(format!("connected again, to {node} at {endpoint}"));
        }
        Some(Event::Disconnected { why }) => {
            out.note(format!("disconnected: {why}; connecting again"));
        }
        Some(Event::SubscriptionFull { topic }) => {
            out.note(format!("too slow for `{topic}`: some of its messages are refused"));
        }
        // Attempts that fail are logged; an end of a subscription is told by the subscription.
        Some(_) | None => {}
    }
}

fn stopped(asked: Asked, count: u64) -> Result<(), Failure> {
    if asked == Asked::Interrupt && count > 0 { Ok(()) } else { Err(Failure::Stopped(asked)) }
}

/// The time is over.
fn enough(count: u64, args: &Sub) -> Result<(), Failure> {
    match args.count {
        None => Ok(()),
        Some(wanted) => {
            let sentence = format!("only {count} of {wanted} messages came in time");
            Err(Failure::new(Exit::OTHER, kind!("too-few"), sentence))
        }
    }
}

fn not_subscribed(error: &SubscribeError) -> Failure {
    let kind = match error {
        SubscribeError::BadTopic(_) => Reason::BadTopic.into(),
        SubscribeError::Refused { reason, .. } => (*reason).into(),
        SubscribeError::NoAnswer { .. } => Reason::Deadline.into(),
        SubscribeError::NotPropagated { .. } => kind!("not-propagated"),
        _ => kind!("closed"),
    };
    Failure::of_code(error.code(), kind, error.to_string())
}

fn mode(message: &Message) -> &'static str {
    match message.mode() {
        Mode::Unicast => "unicast",
        Mode::Multicast => "multicast",
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// A message for programs.
#[derive(Serialize)]
struct MessageObject<'a> {
    #[serde(rename = "type")]
    kind_of_object: &'static str,
    id: String,
    topic: &'a str,
    mode: &'static str,
    from: &'a str,
    ts: String,
    /// How many multicasts of the same publisher to the topic were lost just before this one.
    #[serde(skip_serializing_if = "is_zero")]
    missing_before: u64,
    #[serde(flatten)]
    payload: Payload,
}
