//! `amop send` and `amop receive`: files from disk to disk.
//!
//! Both print a file as `sha256sum` does, once it is complete and safe on the receiver's disk, so that
//! the two ends can be compared. Progress goes to standard error, if somebody looks.

pub(crate) mod args;
mod given_up;
mod meter;
mod to_all;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use amop_sdk::{
    Client, FileSent, IncomingFile, Reason, ReceiveFileError, SendFile, SendFileError,
    SubscribeError,
};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde::Serialize;
use tokio::time::sleep;

use crate::args::LinkArgs;
use crate::connect::connect;
use crate::errors::kind;
use crate::exit::{Exit, Failure};
use crate::key;
use crate::out::Out;
use crate::publish::make_private;
use crate::stop::{Asked, Stop};
use crate::text::{hex, printable};
use args::{Receive, Send};
use given_up::{GivenUp, Left};
use meter::{Going, Meter};

/// Sends one file, and prints what has arrived.
///
/// A signal ends it at once; what the receiver has stays, and the same file sent again goes on there.
pub(crate) async fn send(
    args: &Send,
    link: &LinkArgs,
    out: &mut Out,
    stop: &Stop,
) -> Result<(), Failure> {
    let keys = key::receivers(&args.seal)?;
    let client = tokio::select! {
        client = connect(link) => client?,
        asked = stop.asked() => return Err(Failure::Stopped(asked)),
    };
    make_private(&client, &args.topic, keys)?;
    if args.all {
        return to_all::send(&client, args, out, stop).await;
    }
    let sent = send_file(&client, args, out, stop).await;
    client.close().await;
    out.end_line();
    let sent = sent?.map_err(|given_up| given_up.tell(args, out))?;
    let FileSent { size, sha256, moved_bytes, .. } = sent;
    let file = args.file.to_string_lossy();
    if out.is_json() {
        return out.json(&SentObject {
            kind_of_object: "file-sent",
            file: &file,
            topic: &args.topic,
            size,
            sha256: hex(&sha256),
            moved_bytes,
        });
    }
    out.line(format!("{}  {}", hex(&sha256), printable(file.as_bytes())))
}

async fn send_file(
    client: &Client,
    args: &Send,
    out: &mut Out,
    stop: &Stop,
) -> Result<Result<FileSent, GivenUp>, Failure> {
    let (mut meter, mut going) = (Meter::new(), Going::new(&args.file.to_string_lossy()));
    let start = prepare(client, args).start();
    let mut sending = tokio::select! {
        sending = told_while(start, &mut meter, &mut going, out) => sending?,
        asked = stop.asked() => return Ok(Err(GivenUp { asked, left: Left::Nowhere })),
    };
    going.begin(sending.size());
    loop {
        tokio::select! {
            progress = sending.next_progress() => match progress {
                Some(progress) => {
                    if let Some(percent) = going.at(progress) {
                        out.note(format!("resuming at {percent} %"));
                    }
                }
                None => break,
            },
            () = sleep(LOOK_EVERY) => {}
            asked = stop.asked() => {
                sending.cancel();
                let left = |error: SendFileError| Left::at_one(error.code());
                return Ok(sending.done().await.map_err(|error| GivenUp { asked, left: left(error) }));
            }
        }
        meter.tell([&mut going], out)?;
    }
    sending.done().await.map(Ok).map_err(|error| not_sent(&error))
}

/// Waits until a file begins to be sent, and says meanwhile that it is looked at.
async fn told_while<S>(
    start: impl Future<Output = Result<S, SendFileError>>,
    meter: &mut Meter,
    going: &mut Going,
    out: &mut Out,
) -> Result<S, Failure> {
    let mut start = pin!(start);
    loop {
        tokio::select! {
            started = &mut start => return started.map_err(|error| not_sent(&error)),
            () = sleep(LOOK_EVERY) => meter.tell([&mut *going], out)?,
        }
    }
}

fn prepare(client: &Client, args: &Send) -> SendFile {
    let send = client.send_file(&args.topic, &args.file);
    let send = match &args.idempotency_key {
        Some(name) => send.idempotency_key(name),
        None => send,
    };
    match args.limit {
        Some(limit) => send.limit(limit),
        None => send,
    }
}

/// Receives files until as many came as were wanted, the reader of the output is gone, or a signal
/// asks for the end. What is under way then goes on when somebody receives there again.
pub(crate) async fn receive(
    args: &Receive,
    link: &LinkArgs,
    out: &mut Out,
    stop: &Stop,
) -> Result<(), Failure> {
    let key = key::held(&args.held)?;
    let client = tokio::select! {
        client = connect(link) => client?,
        asked = stop.asked() => return Err(Failure::Stopped(asked)),
    };
    let receive = client.receive_files(&args.topic, &args.dir).settings(args.settings());
    let receive = match key {
        Some(key) => receive.with_key(key),
        None => receive,
    };
    let receive = if args.propagated { receive.propagated() } else { receive };
    let ended = match receive.await {
        Err(error) => Err(not_received(&error)),
        Ok(mut files) => {
            out.note(format!("receiving files of `{}`", args.topic));
            let ended = print_files(&mut files, args, out, stop).await;
            // Closed first, so that senders are not told that their files were given up.
            client.close().await;
            ended
        }
    };
    client.close().await;
    ended
}

async fn print_files(
    files: &mut amop_sdk::FileReceiver,
    args: &Receive,
    out: &mut Out,
    stop: &Stop,
) -> Result<(), Failure> {
    let mut reader_gone = pin!(Out::reader_gone());
    let mut coming: FuturesUnordered<Pin<Box<dyn Future<Output = Came> + std::marker::Send>>> =
        FuturesUnordered::new();
    let (mut count, mut meter) = (0, Meter::new());
    let board = Arc::new(Mutex::new(Board::default()));
    while args.count != Some(count) {
        tokio::select! {
            biased; // Files without end do not keep the command from ending.
            asked = stop.asked() => {
                if !coming.is_empty() {
                    out.note(format!(
                        "what is not complete stays for 24 h: receive `{}` into {} again to go on",
                        args.topic,
                        args.dir.display(),
                    ));
                }
                return stopped(asked, count);
            }
            () = &mut reader_gone => return Err(Failure::ClosedPipe),
            Some(came) = coming.next() => {
                out.end_line();
                board.lock().unwrap_or_else(PoisonError::into_inner).say_resumed(out);
                count += u64::from(show(came, args, out)?);
            }
            incoming = files.next() => match incoming {
                Some(incoming) => {
                    out.aside(format!("{} comes from {}", printable(incoming.name().as_bytes()), incoming.from()));
                    coming.push(Box::pin(Came::wait(incoming, board.clone())));
                }
                None => return Err(not_received(&ReceiveFileError::Subscribe(SubscribeError::Closed))),
            },
            () = sleep(LOOK_EVERY), if !coming.is_empty() => {
                let mut board = board.lock().unwrap_or_else(PoisonError::into_inner);
                board.say_resumed(out);
                meter.tell(board.going.values_mut(), out)?;
            }
        }
    }
    Ok(())
}

/// The files that are coming.
#[derive(Default)]
struct Board {
    /// How far they are, by numbers.
    going: BTreeMap<u64, Going>,
    /// Which of them go on where they were, and nobody was told.
    resumed: Vec<String>,
}

impl Board {
    fn say_resumed(&mut self, out: &Out) {
        self.resumed.drain(..).for_each(|line| out.note(line));
    }
}

/// A file that came to its end.
struct Came {
    name: String,
    from: String,
    size: u64,
    sha256: String,
    end: Result<PathBuf, ReceiveFileError>,
}

impl Came {
    /// Waits for the end of a file, and notes on the board how far it is.
    async fn wait(mut incoming: IncomingFile, board: Arc<Mutex<Board>>) -> Self {
        let change = || board.lock().unwrap_or_else(PoisonError::into_inner);
        let number = {
            let going = &mut change().going;
            let number = going.last_key_value().map_or(0, |(last, _)| last + 1);
            going.insert(number, Going::new(incoming.name()));
            number
        };
        while let Some(progress) = incoming.next_progress().await {
            let mut board = change();
            let Some(going) = board.going.get_mut(&number) else { continue };
            going.begin(progress.total);
            if let Some(percent) = going.at(progress) {
                let name = printable(incoming.name().as_bytes());
                board.resumed.push(format!("{name}: resuming at {percent} %"));
            }
        }
        change().going.remove(&number);
        let (name, from) = (incoming.name().to_owned(), incoming.from().as_dns().to_owned());
        let (size, sha256) = (incoming.size(), hex(incoming.sha256()));
        Self { name, from, size, sha256, end: incoming.done().await }
    }
}

/// Prints what became of a file, and says whether it is there.
fn show(came: Came, args: &Receive, out: &mut Out) -> Result<bool, Failure> {
    let Came { name, from, size, sha256, end } = came;
    match end {
        Err(error) => {
            out.note(format!("{} is not received: {error}", printable(name.as_bytes())));
            return Ok(false);
        }
        Ok(path) if out.is_json() => out.json(&ReceivedObject {
            kind_of_object: "file-received",
            file: &path.to_string_lossy(),
            topic: &args.topic,
            from: &from,
            size,
            sha256,
        })?,
        Ok(path) => {
            out.line(format!("{sha256}  {}", printable(path.to_string_lossy().as_bytes())))?;
        }
    }
    Ok(true)
}

fn stopped(asked: Asked, count: u64) -> Result<(), Failure> {
    if asked == Asked::Interrupt && count > 0 { Ok(()) } else { Err(Failure::Stopped(asked)) }
}

fn not_sent(error: &SendFileError) -> Failure {
    match error {
        SendFileError::Unreadable(source) => {
            Failure::new(Exit::NO_INPUT, kind!("unreadable"), error.to_string()).because(source)
        }
        SendFileError::Failed { code, reason: reason @ Reason::NoVerifiedReceiver } => {
            let next = "who is to get it runs `amop receive` with --topic-key; then send it again";
            Failure::of_code(*code, (*reason).into(), reason.to_string()).next(next)
        }
        SendFileError::Failed { code, reason } => Failure::of_code(
            *code,
            (*reason).into(),
            format!("the file was not received: {reason}"),
        ),
        error => match error.code() {
            Some(code) => Failure::of_code(code, kind!("not-sent"), error.to_string()),
            None => Failure::new(Exit::OTHER, kind!("closed"), error.to_string()),
        },
    }
}

fn not_received(error: &ReceiveFileError) -> Failure {
    match error {
        ReceiveFileError::Folder(source) => {
            Failure::new(Exit::CANNOT_CREATE, kind!("directory"), error.to_string())
                .because(source)
                .next("it must be there, and you must be allowed to write to it: `mkdir DIR`")
        }
        ReceiveFileError::Subscribe(source) => {
            Failure::of_code(source.code(), Reason::NotSubscribed.into(), source.to_string())
        }
        ReceiveFileError::Failed { code, reason } => {
            Failure::of_code(*code, (*reason).into(), error.to_string())
        }
        error => Failure::new(Exit::OTHER, kind!("closed"), error.to_string()),
    }
}

/// How often it is looked whether there is something to tell of.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A file that arrived, for programs.
#[derive(Serialize)]
struct SentObject<'a> {
    #[serde(rename = "type")]
    kind_of_object: &'static str,
    file: &'a str,
    topic: &'a str,
    size: u64,
    sha256: String,
    /// What was sent for it: less if the receiver had some of it.
    moved_bytes: u64,
}

/// A file that came, for programs.
#[derive(Serialize)]
struct ReceivedObject<'a> {
    #[serde(rename = "type")]
    kind_of_object: &'static str,
    file: &'a str,
    topic: &'a str,
    from: &'a str,
    size: u64,
    sha256: String,
}
