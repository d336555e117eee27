//! `amop send --all`: one file for all who subscribe, and what became of it at each of them.

use amop_sdk::{Client, Code, FileOutcome, FileSentToAll};
use serde::Serialize;
use tokio::time::sleep;

use super::args::Send;
use super::given_up::{GivenUp, Left};
use super::meter::{Going, Meter};
use super::{LOOK_EVERY, not_sent, prepare, told_while};
use crate::exit::{Exit, Failure};
use crate::out::Out;
use crate::stop::Stop;
use crate::text::{hex, printable};

/// Sends one file to all who subscribe. It has failed unless all of them have it.
pub(super) async fn send(
    client: &Client,
    args: &Send,
    out: &mut Out,
    stop: &Stop,
) -> Result<(), Failure> {
    let sent = send_file(client, args, out, stop).await;
    client.close().await;
    out.end_line();
    let sent = sent?.map_err(|given_up| given_up.tell(args, out))?;
    show(&sent, args, out)?;
    match sent.code() {
        Code::Ok => Ok(()),
        code => Err(Failure::Told(Exit::of(code))),
    }
}

async fn send_file(
    client: &Client,
    args: &Send,
    out: &mut Out,
    stop: &Stop,
) -> Result<Result<FileSentToAll, GivenUp>, Failure> {
    let (mut meter, mut going) = (Meter::new(), Going::new(&args.file.to_string_lossy()));
    let start = prepare(client, args).to_all().start();
    let mut sending = tokio::select! {
        sending = told_while(start, &mut meter, &mut going, out) => sending?,
        asked = stop.asked() => return Ok(Err(GivenUp { asked, left: Left::Nowhere })),
    };
    going.begin(sending.size());
    loop {
        tokio::select! {
            progress = sending.next_progress() => match progress {
                Some(progress) => {
                    going.at_all(&progress).into_iter().for_each(|resumed| out.note(resumed));
                }
                None => break,
            },
            () = sleep(LOOK_EVERY) => {}
            asked = stop.asked() => {
                sending.cancel();
                return match sending.done().await {
                    Ok(sent) if sent.code() != Code::Ok => {
                        Ok(Err(GivenUp { asked, left: Left::at_all(&sent.outcomes) }))
                    }
                    sent => sent.map(Ok).map_err(|error| not_sent(&error)),
                };
            }
        }
        meter.tell([&mut going], out)?;
    }
    sending.done().await.map(Ok).map_err(|error| not_sent(&error))
}

fn show(sent: &FileSentToAll, args: &Send, out: &mut Out) -> Result<(), Failure> {
    let file = args.file.to_string_lossy();
    if out.is_json() {
        return out.json(&SentToAllObject {
            kind_of_object: "file-sent-to-all",
            code: sent.code().number(),
            file: &file,
            topic: &args.topic,
            size: sent.size,
            sha256: hex(&sent.sha256),
            receivers: sent.outcomes.iter().map(ReceiverObject::of).collect(),
            left_out: sent.left_out,
        });
    }
    let is_there = |outcome: &&FileOutcome| outcome.code == Code::Ok;
    let (all, there) = (sent.outcomes.len(), sent.outcomes.iter().filter(is_there).count());
    for FileOutcome { node, instance, code, reason, .. } in &sent.outcomes {
        if *code != Code::Ok {
            out.note(format!("{instance} at {node}: {code}, {reason}"));
        }
    }
    if there < all || sent.left_out > 0 {
        let more = match sent.left_out {
            0 => String::new(),
            count => format!(", and was not sent to {count} more"),
        };
        out.note(format!("{} is at {there} of {all} receivers{more}", printable(file.as_bytes())));
    }
    if there == 0 {
        return Ok(());
    }
    out.line(format!("{}  {}", hex(&sent.sha256), printable(file.as_bytes())))
}

/// A file that was sent to all, for programs.
#[derive(Serialize)]
struct SentToAllObject<'a> {
    #[serde(rename = "type")]
    kind_of_object: &'static str,
    code: u8,
    file: &'a str,
    topic: &'a str,
    size: u64,
    sha256: String,
    receivers: Vec<ReceiverObject>,
    left_out: u32,
}

/// What became of it at one receiver.
#[derive(Serialize)]
struct ReceiverObject {
    node: String,
    instance: String,
    code: u8,
    kind: &'static str,
    moved_bytes: u64,
}

impl ReceiverObject {
    fn of(outcome: &FileOutcome) -> Self {
        Self {
            node: outcome.node.as_dns().to_owned(),
            instance: outcome.instance.to_string(),
            code: outcome.code.number(),
            kind: if outcome.code == Code::Ok { "done" } else { outcome.reason.kind() },
            moved_bytes: outcome.moved_bytes,
        }
    }
}
