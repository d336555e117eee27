//! What a running link reads, and in what order and pieces it is handed over.

use std::ops::ControlFlow;
use std::task::{Context, Poll};

use amop_wire::Lane;

use super::{Ending, Flow, How, OnFrames, Runner, now};
use crate::lane::{LaneReader, Read};
use crate::link::LinkEnd;

/// Whether the connection is gone, or the link has ended.
type Lost = ControlFlow<LinkEnd, bool>;

impl Runner {
    /// Reads every lane that has something and hands over the frames, at most so much that others get their turn.
    pub(super) fn read(&mut self, cx: &mut Context<'_>, on_frames: OnFrames<'_>) -> Flow {
        let news = self.news.take(cx.waker());
        let mut lost = self.read_lanes(news, on_frames)?;
        // What had arrived is handed over, also what goes in parts.
        while lost && (0..Lane::COUNT).any(|lane| self.is_reading(lane)) {
            lost |= self.read_lanes([true; Lane::COUNT], on_frames)?;
        }
        let read = self.readers.each_mut().map(LaneReader::take_progress);
        self.halves.note(read, self.settings.half_frame_timeout, now);
        if lost { self.lost() } else { Flow::Continue(()) }
    }

    /// Answers whether the connection is gone.
    fn read_lanes(&mut self, news: [bool; Lane::COUNT], on_frames: OnFrames<'_>) -> Lost {
        let mut lost = false;
        for i in 0..self.readers.len() {
            if news[i] || self.has_rest(i) {
                lost |= self.read_lane(i, on_frames)?;
            }
            if self.has_rest(i) {
                self.news.of_later(i);
                // Less urgent lanes wait for it, but not for ever.
                if self.held_back < HELD_BACK_MAX {
                    self.held_back += 1;
                    self.news.keep(i + 1, news);
                    return Lost::Continue(lost);
                }
            }
        }
        self.held_back = 0;
        Lost::Continue(lost)
    }

    /// Reads a lane and hands over its frames. Answers whether the connection is gone.
    fn read_lane(&mut self, lane: usize, on_frames: OnFrames<'_>) -> Lost {
        let mut lost = false;
        for _ in 0..READS_PER_POLL {
            if !self.is_reading(lane) {
                return Lost::Continue(lost);
            }
            let (cx, chunks) = (&mut self.news.context(lane), &mut self.chunks[..]);
            let read = self.readers[lane].poll_read(cx, chunks, &mut self.frames);
            let Poll::Ready(read) = read else { return Lost::Continue(lost) };
            self.hand_over(self.readers[lane].lane, on_frames);
            match read {
                Read::Progress if self.has_rest(lane) => return Lost::Continue(lost),
                Read::Progress => {}
                Read::Finished => self.peer_finished(),
                Read::ConnectionLost => lost = true,
                Read::Reset => return self.broken(lane, "broken off"),
                Read::Garbage(error) => return self.broken(lane, &error.to_string()),
            }
        }
        self.news.of(lane);
        Lost::Continue(lost)
    }

    /// Whether frames of this lane wait to be handed over.
    fn has_rest(&self, lane: usize) -> bool {
        self.is_reading(lane) && self.readers[lane].has_rest()
    }

    fn is_reading(&self, lane: usize) -> bool {
        let wanted = match &self.ending {
            Some(Ending { how: How::Flushing { reading, .. }, .. }) => *reading,
            Some(Ending { how: How::PeerFinished, .. }) | None => true,
        };
        wanted && self.readers[lane].is_open()
    }

    fn hand_over(&mut self, lane: Lane, on_frames: OnFrames<'_>) {
        if !self.frames.is_empty() {
            self.call(lane, on_frames);
        }
    }

    /// Reads what came before the connection was gone, should it have come since the last read.
    pub(super) fn read_rest(&mut self, cx: &mut Context<'_>, on_frames: OnFrames<'_>) -> Flow {
        while (0..self.readers.len()).any(|lane| self.is_reading(lane)) {
            self.news.of_all();
            if let Flow::Break(end) = self.read(cx, on_frames) {
                return Flow::Break(end);
            }
        }
        self.lost()
    }
}

/// How often one poll reads one lane before others get their turn.
const READS_PER_POLL: usize = 8;

/// In how many polls in a row lanes wait for a more urgent one.
const HELD_BACK_MAX: usize = 8;
