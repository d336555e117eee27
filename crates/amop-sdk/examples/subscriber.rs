//! Subscribes to a topic, prints what comes and answers what wants an answer.
//!
//! ```console
//! $ cargo run -p amop-sdk --example subscriber -- 127.0.0.1:20201 hello
//! Subscriber hello success 2026-11-21 10:00:00
//! received: hello, AMOP, I am unicast publisher! 0
//! ```

mod cli;

use std::error::Error;
use std::io::{Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;

use amop_sdk::{Code, Mode, SubscribeError, read_key_file};
use clap::Parser;

/// Subscribes to a topic, prints what comes and answers what wants an answer.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    connection: cli::Connection,
    /// Read a private topic with the key in this file.
    #[arg(long, value_name = "FILE")]
    private: Option<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(&Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let code =
                error.downcast_ref().map_or(Code::NotSent, |error: &SubscribeError| error.code());
            eprintln!("error {code}: {}", cli::chain(&*error));
            ExitCode::from(code.number())
        }
    }
}

async fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let connection = &arguments.connection;
    let client = connection.connect().await?;
    let subscribe = match &arguments.private {
        Some(file) => client.subscribe_private(&connection.topic, read_key_file(file, None)?),
        None => client.subscribe(&connection.topic),
    };
    let mut subscription = subscribe.await?;
    let mut out = stdout();
    writeln!(out, "Subscriber {} success {}", connection.topic, utc())?;
    while let Some(message) = subscription.next().await {
        let text = String::from_utf8_lossy(message.payload());
        if writeln!(out, "received: {text}").is_err() {
            return Ok(()); // Whoever read this has gone.
        }
        if message.mode() == Mode::Unicast
            && let Err(error) = message.reply("hello, AMOP, I am subscriber!")
        {
            eprintln!("no answer: {error}");
        }
    }
    subscription.why_ended().map_or(Ok(()), |why| Err(why.into()))
}

/// The time of day and the date, as `2026-11-21 10:00:00` in UTC.
fn utc() -> String {
    #[expect(clippy::disallowed_methods, reason = "a program reads the clock where it likes")]
    let now = SystemTime::now();
    let seconds = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (mut day, second) = (seconds / 86_400, seconds % 86_400);
    let is_leap =
        |year: u64| year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let mut year = 1970;
    while day >= 365 + u64::from(is_leap(year)) {
        day -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let lengths = [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while day >= lengths[month] {
        day -= lengths[month];
        month += 1;
    }
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year}-{:02}-{:02} {hour:02}:{minute:02}:{second:02}", month + 1, day + 1)
}
