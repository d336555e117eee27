//! What a client that sends or receives files needs of its private topics: whom it may offer a file to, and the
//! seals of offers.

use std::time::Duration;

use amop_auth::{FileOpener, FileSealer, FileWay, OpenError, PublicKey};
use amop_topic_table::choose_among;
use amop_wire::{FileEnd, FileId, FileOffer, Instance, Instant, MsgId, Reason, SealedOffer, Topic};
use bytes::Bytes;

use super::super::Client;

/// Who may receive a file on a private topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileReceivers {
    /// Those who have proved to hold a listed key, and with which, in the order of their instances; without those
    /// who could not open an offer since.
    pub verified: Vec<(FileEnd, PublicKey)>,
    /// Whether somebody may be verified any moment, or come back.
    pub is_open: bool,
}

impl FileReceivers {
    /// Chooses one of them: the same one for the same file while they stay.
    #[must_use]
    pub fn choose(&self, file: FileId) -> Option<(FileEnd, PublicKey)> {
        #[expect(clippy::cast_possible_truncation, reason = "each is one half")]
        let (high, low) = ((file.0 >> 64) as u64, file.0 as u64);
        let id = MsgId { publisher: Instance(high), counter: low };
        let chosen = choose_among(self.verified.iter().map(|(end, _)| end.instance), id)?;
        self.verified.iter().find(|(end, _)| end.instance == chosen).copied()
    }

    /// The one of them that is this instance.
    #[must_use]
    pub fn find(&self, instance: Instance) -> Option<(FileEnd, PublicKey)> {
        self.verified.iter().find(|(end, _)| end.instance == instance).copied()
    }
}

impl Client {
    /// Says who may receive a file on a private topic now.
    #[must_use]
    pub fn file_receivers(&self, now: Instant, topic: &Topic) -> FileReceivers {
        let Some(private) = &self.private else { return FileReceivers::default() };
        let Some(outlet) = private.outlets.get(topic) else { return FileReceivers::default() };
        let seated = |(instance, key)| {
            let (node, _) = outlet.seat(instance).filter(|_| outlet.can_open(instance))?;
            Some((FileEnd { instance, node }, key))
        };
        let verified: Vec<_> = self.verified(now, topic).into_iter().filter_map(seated).collect();
        let is_known = self.is_connected() && outlet.is_told();
        let is_missed = verified.is_empty() && outlet.is_missed(now);
        let is_verifying = private.publisher.is_verifying(now, topic) || outlet.is_renewing(now);
        let is_open = !is_known || is_verifying || is_missed;
        FileReceivers { verified, is_open }
    }

    /// Begins to send a file to one receiver on a private topic, under a key of its own. `None` without an
    /// [identity](Self::with_identity).
    pub fn file_sealer(&mut self, transfer: u64, receiver: Instance) -> Option<FileSealer> {
        let way = FileWay { transfer, sender: self.instance, receiver };
        self.private.as_mut().map(|private| private.publisher.file_sealer(way))
    }

    /// Seals an offer for the receiver that it goes to, each time that it is sent. `None` if that may not
    /// receive it now.
    pub fn seal_offer(
        &mut self,
        now: Instant,
        file: &FileSealer,
        offer: &FileOffer,
    ) -> Option<SealedOffer> {
        let private = self.private.as_mut()?;
        let (from, topic) = (offer.from.clone(), offer.topic.clone());
        let sealed = private.publisher.seal_offer(now, &topic, file, &offer.to_secret()).ok()?;
        Some(SealedOffer { from, topic, sealed })
    }

    /// Whether what is offered to us on a topic must be sealed.
    #[must_use]
    pub fn wants_sealed(&self, topic: &Topic) -> bool {
        self.private.as_ref().is_some_and(|private| private.subscriber.is_private(topic))
    }

    /// Opens an offer. What this causes waits in [`poll_effect`](Self::poll_effect).
    ///
    /// # Errors
    ///
    /// The reason to refuse it: with [`Reason::CannotOpen`] no key for it is here, and the
    /// [inbox](crate::transfer::Inbox) must hear of it. `None` if it is a copy, or somebody has altered it, so that
    /// nothing is to be said.
    pub fn open_offer(
        &mut self,
        now: Instant,
        transfer: u64,
        sender: Instance,
        sealed: &SealedOffer,
    ) -> Result<(FileOpener, FileOffer), Option<Reason>> {
        let SealedOffer { from, topic, sealed } = sealed;
        let way = FileWay { transfer, sender, receiver: self.instance };
        let private = self.private.as_mut().filter(|it| it.subscriber.is_private(topic));
        let private = private.ok_or(Some(Reason::CannotOpen))?;
        let opened = private.subscriber.open_offer(now, topic, way, sealed);
        self.drain_subscriber();
        let (opener, offer): (FileOpener, Bytes) = opened.map_err(|error| match error {
            OpenError::NotSealed => Some(Reason::NotSealed),
            OpenError::UnknownKey => Some(Reason::CannotOpen),
            _ => None,
        })?;
        let offer = FileOffer::from_secret(&offer, from, topic);
        Ok((opener, offer.map_err(|_| Some(Reason::CannotOpen))?))
    }
}

/// How long somebody is looked for in the place of one who could not open the offer of a file: as long as a message
/// waits for that (PRIV-15).
pub const FILE_NEXT_WITHIN: Duration = Duration::from_secs(3);
