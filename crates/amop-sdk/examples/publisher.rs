//! Publishes to a topic and prints how each message ended.
//!
//! ```console
//! $ cargo run -p amop-sdk --example publisher -- 127.0.0.1:20200 hello
//! publish message: hello, AMOP, I am unicast publisher! 0
//! answer: hello, AMOP, I am subscriber!
//! ```
//!
//! The exit status is the code of the first message that failed.

mod cli;

use std::error::Error;
use std::io::{Write, stdout};
use std::process::ExitCode;

use amop_sdk::{Client, Code, PublishError, read_public_key};
use clap::Parser;

/// Publishes to a topic and prints how each message ended.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    connection: cli::Connection,
    /// To all subscribers, instead of one that answers.
    #[arg(long)]
    multicast: bool,
    /// Seal them for who holds this public key; several with commas.
    #[arg(long, value_name = "FILE", value_delimiter = ',')]
    private: Vec<String>,
    /// How many messages.
    #[arg(long, default_value_t = 1)]
    count: u32,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let client = match arguments.connection.connect().await {
        Ok(client) => client,
        Err(error) => {
            let code = Code::NotSent;
            eprintln!("error {code}: {}", cli::chain(&*error));
            return ExitCode::from(code.number());
        }
    };
    if let Err(error) = make_private(&client, &arguments) {
        eprintln!("error {}: {}", Code::Invalid, cli::chain(&*error));
        return ExitCode::from(Code::Invalid.number());
    }
    let mut first_failure = Code::Ok;
    for number in 0..arguments.count {
        if let Err(error) = publish(&client, &arguments, number).await {
            eprintln!("error {error}");
            if first_failure == Code::Ok {
                first_failure = error.code();
            }
        }
    }
    client.close().await;
    ExitCode::from(first_failure.number())
}

/// Has what is published sealed, if there are keys.
fn make_private(client: &Client, to: &Arguments) -> Result<(), Box<dyn Error>> {
    let keys = to.private.iter().map(|key| read_public_key(key)).collect::<Result<Vec<_>, _>>()?;
    if !keys.is_empty() {
        client.private(&to.connection.topic).to(keys)?;
    }
    Ok(())
}

async fn publish(client: &Client, to: &Arguments, number: u32) -> Result<(), PublishError> {
    let topic = &to.connection.topic;
    let kind = if to.multicast { "multicast" } else { "unicast" };
    let text = format!("hello, AMOP, I am {kind} publisher! {number}");
    say(&format!("publish message: {text}"));
    if to.multicast {
        let receipt = client.multicast(topic, text).await?;
        say(&format!("{} of {} subscribers took it", receipt.acked, receipt.targets));
    } else {
        let answer = client.request(topic, text).await?;
        say(&format!("answer: {}", String::from_utf8_lossy(&answer.payload)));
    }
    Ok(())
}

/// Prints a line. That nobody reads it any more is no reason not to publish.
fn say(line: &str) {
    let _ = writeln!(stdout(), "{line}");
}
