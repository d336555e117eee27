//! What is to be seen: the newest sample, what keys have chosen, and how fast it goes.

use std::collections::VecDeque;

use serde::Serialize;

use super::sample::{Rates, Sample};
use super::terminal::Key;

/// All that a drawing is made of.
#[derive(Clone, Debug)]
pub(crate) struct Screen {
    pub(super) sample: Sample,
    pub(super) rates: Rates,
    /// Messages a second, in and out, the oldest first.
    pub(super) history: VecDeque<[f64; 2]>,
    pub(super) view: View,
    /// The column that rows are sorted by, and whether from its other end.
    pub(super) sorted: (usize, bool),
    pub(super) is_paused: bool,
    pub(super) shows_help: bool,
    /// Why the node did not answer the last time.
    pub(super) missed: Option<String>,
}

/// Which table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    Peers,
    Clients,
    Outcomes,
    Certificates,
}

/// What a key comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Stay,
    Leave,
}

impl View {
    pub(super) const ALL: [Self; 4] =
        [Self::Peers, Self::Clients, Self::Outcomes, Self::Certificates];

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Peers => "peers",
            Self::Clients => "clients",
            Self::Outcomes => "outcomes",
            Self::Certificates => "certificates",
        }
    }

    pub(super) fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Peers => {
                &["PEER", "FOR", "RTT", "IN/s", "OUT/s", "LOST/s", "CERTIFICATE", "STATE"]
            }
            Self::Clients => {
                &["CLIENT", "INSTANCE", "TOPICS", "UNDER WAY", "UNACKED", "RTT", "IN/s", "OUT/s"]
            }
            Self::Outcomes => &["CODE", "ENDS/s", "SINCE START"],
            Self::Certificates => &["WHOSE", "ENDS", "LEFT"],
        }
    }
}

impl Screen {
    pub(crate) fn new(sample: Sample) -> Self {
        Self {
            sample,
            rates: Rates::default(),
            history: VecDeque::new(),
            view: View::Peers,
            sorted: (0, false),
            is_paused: false,
            shows_help: false,
            missed: None,
        }
    }

    /// Goes by a newer sample, unless somebody wants to look at the last one for longer.
    pub(crate) fn see(&mut self, sample: Sample) {
        self.missed = None;
        if self.is_paused {
            return;
        }
        self.rates = Rates::between(&self.sample, &sample);
        self.sample = sample;
        let Rates { clients, peers, .. } = &self.rates;
        self.history.push_back([clients.received + peers.received, clients.sent + peers.sent]);
        if self.history.len() > HISTORY_MAX {
            self.history.pop_front();
        }
    }

    /// The node did not answer.
    pub(crate) fn missed(&mut self, why: String) {
        self.missed = Some(why);
    }

    pub(crate) fn press(&mut self, key: Key) -> Next {
        match key {
            Key::Char('q') | Key::Escape | Key::Interrupt if !self.shows_help => {
                return Next::Leave;
            }
            Key::Interrupt => return Next::Leave,
            Key::Char('?' | 'h') => self.shows_help = !self.shows_help,
            Key::Char('q') | Key::Escape => self.shows_help = false,
            Key::Char('p' | ' ') => self.is_paused = !self.is_paused,
            Key::Char('s') => {
                self.sorted.0 = (self.sorted.0 + 1) % self.view.columns().len();
                self.sorted.1 = false;
            }
            Key::Char('r') => self.sorted.1 = !self.sorted.1,
            Key::Tab => self.turn_to(
                (View::ALL.iter().position(|view| *view == self.view).unwrap_or_default() + 1)
                    % View::ALL.len(),
            ),
            Key::Char(digit @ '1'..='4') => self.turn_to(digit as usize - '1' as usize),
            Key::Char(_) | Key::Resized => {}
        }
        Next::Stay
    }

    fn turn_to(&mut self, number: usize) {
        self.view = View::ALL[number];
        self.sorted = (0, false);
    }

    /// For programs.
    pub(crate) fn to_object(&self) -> impl Serialize + use<'_> {
        let Sample { node, peers, clients, .. } = &self.sample;
        TopObject { kind_of_object: "top", node, per_second: &self.rates, peers, clients }
    }
}

/// What there is to see, for programs: as `amop --json status`, `peers` and `clients` have it, and what moved.
#[derive(Serialize)]
struct TopObject<'a> {
    #[serde(rename = "type")]
    kind_of_object: &'static str,
    node: &'a amop_node::view::Overview,
    per_second: &'a Rates,
    peers: &'a [amop_node::view::PeerView],
    clients: &'a [amop_node::view::ClientView],
}

/// As many as a line of a wide terminal has room for.
const HISTORY_MAX: usize = 60;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::sample::tests::sample;
    use super::*;

    #[test]
    fn keys_turn_sort_pause_help_and_leave() {
        let start = crate::clock::moment();
        let mut screen = Screen::new(sample(start, 0));
        assert_eq!(screen.press(Key::Tab), Next::Stay);
        assert_eq!(screen.view, View::Clients);
        screen.press(Key::Char('s'));
        screen.press(Key::Char('r'));
        assert_eq!(screen.sorted, (1, true));
        for _ in View::Clients.columns() {
            screen.press(Key::Char('s'));
        }
        assert_eq!(screen.sorted, (1, false), "past the last column is the first");
        screen.press(Key::Char('4'));
        assert_eq!((screen.view, screen.sorted), (View::Certificates, (0, false)));
        screen.press(Key::Char('?'));
        assert!(screen.shows_help);
        assert_eq!(screen.press(Key::Char('q')), Next::Stay, "it closes the help");
        assert!(!screen.shows_help);
        assert_eq!(screen.press(Key::Char('q')), Next::Leave);
        assert_eq!(screen.press(Key::Escape), Next::Leave);
        assert_eq!(screen.press(Key::Interrupt), Next::Leave);
    }

    #[test]
    fn who_pauses_goes_on_to_see_the_same_and_then_the_newest() {
        let start = crate::clock::moment();
        let later = |seconds, count| sample(start + Duration::from_secs(seconds), count);
        let mut screen = Screen::new(later(0, 0));
        screen.see(later(1, 10));
        screen.press(Key::Char('p'));
        screen.see(later(2, 1000));
        assert_eq!(screen.sample.node.counts.clients.received, 20);
        screen.press(Key::Char('p'));
        screen.see(later(3, 40));
        assert_eq!(screen.rates.clients.received, 30.0, "over the two seconds since");
        for second in 4..200 {
            screen.see(later(second, 40));
        }
        assert_eq!(screen.history.len(), HISTORY_MAX);
    }
}
