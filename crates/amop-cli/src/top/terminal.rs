//! The terminal as a place to draw on, and its keys.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::{DefaultTerminal, Frame};
use tokio::sync::mpsc::UnboundedSender;

use crate::errors::kind;
use crate::exit::{Exit, Failure};

/// A key that means something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Char(char),
    Tab,
    Escape,
    /// Ctrl-C, which is no signal while the terminal is ours.
    Interrupt,
    /// No key at all: all must be drawn again.
    Resized,
}

/// The whole terminal, given back as it was when this is dropped.
pub(super) struct Terminal {
    terminal: DefaultTerminal,
    is_over: Arc<AtomicBool>,
}

impl Terminal {
    /// Takes the terminal, and sends its keys from a thread of its own.
    pub(super) fn take(keys: UnboundedSender<Key>) -> Result<Self, Failure> {
        let terminal = ratatui::try_init().map_err(|error| unusable(&error))?;
        let is_over = Arc::new(AtomicBool::new(false));
        thread::spawn({
            let is_over = Arc::clone(&is_over);
            move || listen(&keys, &is_over)
        });
        Ok(Self { terminal, is_over })
    }

    pub(super) fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> Result<(), Failure> {
        self.terminal.draw(draw).map(drop).map_err(|error| unusable(&error))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        ratatui::restore();
    }
}

fn unusable(error: &std::io::Error) -> Failure {
    Failure::new(Exit::IO, kind!("terminal"), "cannot draw on the terminal").because(error)
}

/// Ends when the terminal is gone or nobody wants its keys any more.
fn listen(keys: &UnboundedSender<Key>, is_over: &AtomicBool) {
    while !is_over.load(Ordering::Relaxed) {
        match event::poll(LOOK_PERIOD)
            .and_then(|came| if came { event::read().map(Some) } else { Ok(None) })
        {
            Ok(None) => {}
            Ok(Some(event)) => {
                if key_of(&event).is_some_and(|key| keys.send(key).is_err()) {
                    return;
                }
            }
            Err(_) => return,
        }
    }
}

fn key_of(event: &Event) -> Option<Key> {
    match event {
        Event::Resize(..) => Some(Key::Resized),
        Event::Key(KeyEvent { code, modifiers, kind: KeyEventKind::Press, .. }) => match code {
            KeyCode::Char('c') if modifiers.contains(KeyModifiers::CONTROL) => Some(Key::Interrupt),
            KeyCode::Char(char) => Some(Key::Char(*char)),
            KeyCode::Tab => Some(Key::Tab),
            KeyCode::Esc => Some(Key::Escape),
            _ => None,
        },
        _ => None,
    }
}

/// How long the thread may outlive the drawing.
const LOOK_PERIOD: Duration = Duration::from_millis(100);

#[test]
fn ctrl_c_leaves_and_a_key_that_is_let_go_is_none() {
    let pressed = |code, modifiers| Event::Key(KeyEvent::new(code, modifiers));
    let key = |code| key_of(&pressed(code, KeyModifiers::NONE));
    assert_eq!(key(KeyCode::Char('c')), Some(Key::Char('c')));
    assert_eq!((key(KeyCode::Tab), key(KeyCode::Esc)), (Some(Key::Tab), Some(Key::Escape)));
    assert_eq!(key(KeyCode::F(1)), None);
    let interrupt = pressed(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(key_of(&interrupt), Some(Key::Interrupt));
    let let_go = KeyEvent::new_with_kind(KeyCode::Tab, KeyModifiers::NONE, KeyEventKind::Release);
    assert_eq!(key_of(&Event::Key(let_go)), None);
}
