//! Moves file messages between links and the core, without letting them stand before anything else.
//!
//! What is to be sent waits in the core and is taken as far as a link has room for files, which is
//! little. A link without room hands in an empty batch when it has some again, so nobody looks in vain.

use amop_core::node::{Input, LinkId};
use amop_wire::{CloseReason, FileMessage, Frame, Instant, Lane, Message, Recent, Transit};
use tracing::warn;

use super::{Driver, State};

impl Driver {
    /// Handles everything that arrived on the lane for files of any link: nothing, if there is room again.
    ///
    /// # Errors
    ///
    /// The reason to close the link, if a frame is no message; what came before it was handled.
    pub(crate) fn file_frames(
        &self,
        link: LinkId,
        frames: &mut Vec<Frame>,
        reading: (&mut Recent, &mut Transit),
    ) -> Result<(), CloseReason> {
        self.frames((link, Lane::Files), frames, reading, |state, now, message: FileMessage| {
            state.handle(now, Input::File { link, message });
        })
    }
}

impl State {
    /// Stages what waits for the files of each link, as far as it has room.
    pub(super) fn stage_files(&mut self, now: Instant) {
        // What is passed on makes neighbours be told, so it goes on until all is quiet.
        loop {
            let links: Vec<LinkId> = self.core.file_links().collect();
            let mut has_staged = false;
            for link in links {
                let Some(out) = self.links.get_mut(&link) else { continue };
                while out.outbox.has_file_room(out.batch.bytes_on(Lane::Files)) {
                    let Some(message) = self.core.poll_file(now, link) else { break };
                    has_staged = true;
                    out.batch.set_now(now);
                    match out.batch.push(&message) {
                        Ok(()) => {
                            self.counts.flow(out.is_peer()).went(1, message.payload().len() as u64);
                        }
                        Err(error) => warn!(?link, %error, "a file message was not sent"),
                    }
                    if !std::mem::replace(&mut out.is_staged, true) {
                        self.staged.push(link);
                    }
                }
            }
            if !has_staged {
                return;
            }
        }
    }
}
