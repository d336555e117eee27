//! `amop top`: a node, live.
//!
//! ```text
//! admin interface ──▶ Sample ──two of them──▶ Rates ──▶ Screen ──▶ terminal, or lines
//!                                        keys ────────▶
//! ```
//!
//! Every second a sample is taken. The same screen is drawn on the terminal, written as lines (`--once`, `--batch`),
//! and drawn in the tests.

mod draw;
mod sample;
mod screen;
mod table;
mod terminal;

use std::time::Duration;

use clap::Args as Arguments;
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::args::parse_duration;
use crate::clock;
use crate::errors::kind;
use crate::exit::{Exit, Failure};
use crate::look::admin::Admin;
use crate::look::args::AdminArgs;
use crate::out::Out;
use crate::stop::Stop;

use sample::{Sample, take};
use screen::{Next, Screen};
use terminal::{Key, Terminal};

/// `amop top`.
#[derive(Clone, Debug, Arguments)]
pub(crate) struct Top {
    /// Print once what there is to see, and end
    #[arg(long, conflicts_with = "batch")]
    once: bool,
    /// Print it again and again, for a file or a pipe
    #[arg(long)]
    batch: bool,
    /// How long between two looks
    #[arg(long, value_name = "DUR", value_parser = parse_duration, default_value = "1s")]
    every: Duration,
    #[command(flatten)]
    admin: AdminArgs,
}

/// Shows the node until somebody has seen enough.
pub(crate) async fn run(args: &Top, out: &mut Out, stop: &Stop) -> Result<(), Failure> {
    let admin = Admin::find(&args.admin.admin)?;
    let screen = Screen::new(take(&admin, clock::moment()).await?);
    let samples = look(admin, args.every);
    if args.once || args.batch || out.is_json() {
        return stop.or(print(args, screen, samples, out)).await;
    }
    if !out.is_terminal() {
        let sentence = "standard output is no terminal to draw on";
        return Err(
            Failure::new(Exit::USAGE, kind!("no-terminal"), sentence).next("--once or --batch")
        );
    }
    let (keys, pressed) = mpsc::unbounded_channel();
    let terminal = Terminal::take(keys)?;
    stop.or(live(screen, samples, terminal, pressed)).await
}

/// Looks again and again, until nobody wants to know any more. A node that hangs does not hold up keys.
fn look(admin: Admin, every: Duration) -> mpsc::Receiver<Result<Sample, Failure>> {
    let (samples, taken) = mpsc::channel(1);
    tokio::spawn(async move {
        loop {
            sleep(every).await;
            if samples.send(take(&admin, clock::moment()).await).await.is_err() {
                return;
            }
        }
    });
    taken
}

/// Writes lines, or objects.
async fn print(
    args: &Top,
    mut screen: Screen,
    mut samples: mpsc::Receiver<Result<Sample, Failure>>,
    out: &mut Out,
) -> Result<(), Failure> {
    while let Some(sample) = samples.recv().await {
        screen.see(sample?);
        match out.is_json() {
            true => out.json(&screen.to_object())?,
            false => out.line(draw::lines(&screen, clock::wall()).join("\n"))?,
        }
        if !args.batch {
            break;
        }
        if !out.is_json() {
            out.line("")?;
        }
    }
    Ok(())
}

/// Draws on the terminal and does what keys say.
async fn live(
    mut screen: Screen,
    mut samples: mpsc::Receiver<Result<Sample, Failure>>,
    mut terminal: Terminal,
    mut pressed: mpsc::UnboundedReceiver<Key>,
) -> Result<(), Failure> {
    loop {
        terminal.draw(|frame| draw::on(frame, &screen, clock::wall()))?;
        tokio::select! {
            key = pressed.recv() => match key.map(|key| screen.press(key)) {
                Some(Next::Stay) => {}
                Some(Next::Leave) | None => return Ok(()),
            },
            Some(sample) = samples.recv() => match sample {
                Ok(sample) => screen.see(sample),
                // It may be back in a moment; what was seen last stays.
                Err(failure) => screen.missed(failure.sentence()),
            },
        }
    }
}
