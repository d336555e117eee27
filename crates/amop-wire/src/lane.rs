//! The lanes of a link: long-lived ordered streams, one for each urgency.

/// One ordered stream of frames in a link. Frames on one lane keep their order; lanes do not wait
/// for each other, so an answer never stands behind a blocked request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Greetings, subscriptions, topic tables, heartbeats. Most urgent.
    Control,
    /// Answers, outcomes, acks and receipts.
    Replies,
    /// Unicasts, from the publisher to the subscriber.
    Unicasts,
    /// Multicasts, from the publisher to every subscriber. They may be many, and nobody waits for their end as
    /// one waits for an answer.
    Multicasts,
    /// What the ends of file transfers say to each other. Least urgent.
    Files,
}

impl Lane {
    /// Every lane, most urgent first; the position is the lane's number on the wire.
    pub const ALL: [Self; 5] =
        [Self::Control, Self::Replies, Self::Unicasts, Self::Multicasts, Self::Files];

    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();

    /// The lane's number on the wire: 0 is the most urgent.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Control => 0,
            Self::Replies => 1,
            Self::Unicasts => 2,
            Self::Multicasts => 3,
            Self::Files => 4,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_is_found_by_its_number() {
        for (number, lane) in Lane::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(lane.number()), number);
        }
    }
}
