//! Where the payload of a message comes from: the command line, standard input or a file.

use std::fs::File;
use std::io::{self, Read};

use amop_wire::limits::PAYLOAD_BYTES_MAX;
use amop_wire::{Code, Reason};
use bytes::Bytes;
use tokio::task::spawn_blocking;

use crate::errors::kind;
use crate::exit::{Exit, Failure};

/// Reads what a PAYLOAD argument means: `-`, `@FILE`, or the text itself.
///
/// No more is read than a message can carry, and one byte.
///
/// # Errors
///
/// 66 if the file cannot be opened, 74 if reading fails, 201 if it is too long for a message.
pub(crate) async fn read(argument: &str) -> Result<Bytes, Failure> {
    let source = match argument.strip_prefix('@') {
        _ if argument == "-" => Source::Stdin,
        Some(path) => Source::File(path.to_owned()),
        None => return Ok(Bytes::copy_from_slice(argument.as_bytes())),
    };
    // On a thread of its own, for a terminal or a pipe may let us wait for ever.
    let payload = spawn_blocking(move || source.read()).await;
    let payload = payload.expect("reading does not panic")?;
    if payload.len() > PAYLOAD_BYTES_MAX {
        let sentence = format!("the payload is over the limit of {PAYLOAD_BYTES_MAX} bytes");
        return Err(Failure::of_code(Code::Invalid, Reason::PayloadTooLong.into(), sentence));
    }
    Ok(payload.into())
}

enum Source {
    Stdin,
    File(String),
}

impl Source {
    fn read(&self) -> Result<Vec<u8>, Failure> {
        let read = match self {
            Self::Stdin => read_some(io::stdin().lock()),
            Self::File(path) => {
                let file = File::open(path).map_err(|error| {
                    Failure::new(Exit::NO_INPUT, kind!("no-file"), format!("cannot open {path}"))
                        .because(&error)
                        .next("give a text that begins with `@` on standard input, as `-`")
                })?;
                read_some(file)
            }
        };
        read.map_err(|error| {
            Failure::new(Exit::IO, kind!("input"), "cannot read the payload").because(&error)
        })
    }
}

fn read_some(source: impl Read) -> io::Result<Vec<u8>> {
    let mut payload = Vec::new();
    source.take(PAYLOAD_BYTES_MAX as u64 + 1).read_to_end(&mut payload)?;
    Ok(payload)
}
