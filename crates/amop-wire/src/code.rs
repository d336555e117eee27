//! The codes that end a publish, and the reasons behind them.
//!
//! The code is the contract: it says whether the message was handled. The reason is for people and
//! for logs; it says how it came to that.

use std::fmt;

/// How a publish ended. Every publish ends with exactly one code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// 0: a unicast was handled once and answered; a multicast was tried at every subscriber.
    Ok,
    /// 99: it could not be handed to any node; never handled.
    NotSent,
    /// 100: no subscriber is known, or no node that has one could be reached; never handled.
    NoSubscriber,
    /// 101: a subscriber's node was reached, the subscriber was not; never handled.
    SubscriberUnreachable,
    /// 102: time ran out and the outcome is unknown; handled at most once.
    TimedOut,
    /// 103: a bandwidth limit refused it; never handled.
    Limited,
    /// 201: the topic or the payload breaks a rule; never handled.
    Invalid,
    /// 202: the publisher may not do this; never handled.
    NotPermitted,
    /// 203: the node is draining; never handled.
    Draining,
    /// 204: the node is overloaded; never handled.
    Overloaded,
    /// 205: the id was used before with another payload; never handled.
    IdReused,
    /// 206: the file was refused.
    FileRefused,
}

impl Code {
    /// Every code, in the order of the numbers.
    pub const ALL: [Self; 12] = [
        Self::Ok,
        Self::NotSent,
        Self::NoSubscriber,
        Self::SubscriberUnreachable,
        Self::TimedOut,
        Self::Limited,
        Self::Invalid,
        Self::NotPermitted,
        Self::Draining,
        Self::Overloaded,
        Self::IdReused,
        Self::FileRefused,
    ];

    /// The number that applications see.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::NotSent => 99,
            Self::NoSubscriber => 100,
            Self::SubscriberUnreachable => 101,
            Self::TimedOut => 102,
            Self::Limited => 103,
            Self::Invalid => 201,
            Self::NotPermitted => 202,
            Self::Draining => 203,
            Self::Overloaded => 204,
            Self::IdReused => 205,
            Self::FileRefused => 206,
        }
    }

    /// The code of this number, if there is one.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|code| u32::from(code.number()) == number)
    }

    /// Whether the message may have been handled: with [`Ok`](Self::Ok) it was, with
    /// [`TimedOut`](Self::TimedOut) nobody knows, with all others it never was nor will be.
    #[must_use]
    pub fn may_have_been_handled(self) -> bool {
        matches!(self, Self::Ok | Self::TimedOut)
    }
}

/// Prints the number.
impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.number())
    }
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $variant:ident = $number:literal, $kind:literal, $sentence:literal;)+) => {
        /// Why something ended with the code it has.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Reason {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Reason {
            /// Every reason, in the order of the numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The number on the wire.
            #[must_use]
            pub fn number(self) -> u32 {
                match self { $(Self::$variant => $number),+ }
            }

            /// A stable word for programs, such as `no-subscriber`.
            #[must_use]
            pub fn kind(self) -> &'static str {
                match self { $(Self::$variant => $kind),+ }
            }

            /// A sentence fragment for people.
            #[must_use]
            pub fn sentence(self) -> &'static str {
                match self { $(Self::$variant => $sentence),+ }
            }
        }
    };
}

reasons! {
    /// None was given, or it is of a newer version.
    Unspecified = 0, "unspecified", "no reason given";
    /// The client had no link to any node within the deadline.
    NotConnected = 1, "not-connected", "not connected to any node";
    /// The link ended after the publish was sent and before its outcome arrived.
    ConnectionLost = 2, "connection-lost", "the link to the node was lost before the outcome arrived";
    /// Nobody is known to subscribe to the topic.
    NoSubscriber = 3, "no-subscriber", "no reachable node has a subscriber";
    /// Subscribers are known, but no node that has one could be reached.
    NoPath = 4, "no-path", "no node that has a subscriber could be reached";
    /// The subscriber's link had ended.
    SubscriberGone = 5, "subscriber-gone", "the subscriber is no longer attached to its node";
    /// The subscriber has as many messages waiting as it may have.
    SubscriberBusy = 6, "subscriber-busy", "the subscriber's queue is full";
    /// The subscriber does not subscribe to the topic any more.
    NotSubscribed = 7, "not-subscribed", "the subscriber has left the topic";
    /// The deadline passed.
    Deadline = 8, "deadline", "nobody answered in time";
    /// The subscriber was announced in an earlier life of its node.
    StaleEpoch = 9, "stale-epoch", "the subscriber's node has been restarted";
    /// The topic breaks a rule.
    BadTopic = 10, "bad-topic", "the topic is not valid";
    /// The payload is over its limit.
    PayloadTooLong = 11, "payload-too-long", "the payload is over its limit";
    /// The client holds as many subscriptions as it may.
    TooManySubscriptions = 12, "too-many-subscriptions", "the limit of subscriptions is reached";
    /// The node has as many publishes under way as it may.
    TooManyRequests = 13, "too-many-requests", "the limit of publishes under way is reached";
    /// The node shuts down.
    ShuttingDown = 14, "shutting-down", "the node is shutting down";
    /// The subscriber knows the idempotency key with another payload or topic.
    KeyReused = 15, "key-reused", "the key was used before for another message";
    /// No subscriber of a private topic has proved to hold a key on the publisher's list.
    NoVerifiedReceiver = 16, "no-verified-receiver", "no subscriber has proved to hold a key on the list";
    /// What came on a private topic could not be opened: its keys are gone, or it was altered.
    CannotOpen = 17, "cannot-open", "what was sealed cannot be opened";
    /// What came in the clear is for a subscriber that takes only what is sealed.
    NotSealed = 18, "not-sealed", "the subscriber takes only what is sealed for it";
    /// The rules of the node do not permit it, whether or not there is such a topic.
    NotPermitted = 19, "not-permitted", "the rules of the node do not permit it";
    /// The session publishes faster than it may.
    SessionRate = 24, "session-rate", "the session publishes faster than its limit";
    /// The sessions of the agency together publish faster than they may.
    AgencyRate = 25, "agency-rate", "the agency publishes faster than its limit";
    /// The sessions of the node together publish faster than they may.
    NodeRate = 26, "node-rate", "the clients of the node publish faster than its limit";
    /// The node holds as much for others as it may.
    MemoryFull = 27, "memory-full", "the node holds as much as it may";
    /// A file of that name is there, and is not to be replaced.
    FileExists = 32, "file-exists", "a file of that name is there already";
    /// The file is longer than its receiver takes.
    FileTooLong = 33, "file-too-long", "the file is longer than the receiver takes";
    /// The receiver takes no files of that name.
    FileNotWanted = 34, "file-not-wanted", "the receiver takes no file of that name";
    /// There is no room for the file.
    DiskFull = 35, "disk-full", "the receiver has no room for the file";
    /// The receiver's directory cannot be written to, or is gone.
    DirectoryFailed = 36, "directory-failed", "the receiver cannot write to its directory";
    /// The file was changed while it was sent.
    FileChanged = 37, "file-changed", "the file changed while it was sent";
    /// The sender could not read the file.
    FileUnreadable = 38, "file-unreadable", "the file could not be read";
    /// What came is not what was offered.
    ChecksumMismatch = 39, "checksum-mismatch", "what came is not what was offered";
    /// The same sender offered another file under this id.
    FileIdReused = 40, "file-id-reused", "the id was used before for another file";
    /// One of the ends gave it up.
    Cancelled = 41, "cancelled", "it was cancelled";
}

impl Reason {
    /// The reason of this number; [`Unspecified`](Self::Unspecified) for those of newer versions.
    #[must_use]
    pub fn from_number(number: u32) -> Self {
        let found = Self::ALL.iter().find(|reason| reason.number() == number);
        found.copied().unwrap_or(Self::Unspecified)
    }
}

/// Prints the sentence.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_codes_are_those_of_the_contract() {
        let numbers: Vec<u8> = Code::ALL.into_iter().map(Code::number).collect();
        assert_eq!(numbers, [0, 99, 100, 101, 102, 103, 201, 202, 203, 204, 205, 206]);
        for code in Code::ALL {
            assert_eq!(Code::from_number(code.number().into()), Some(code));
        }
        assert_eq!(Code::from_number(104), None);
    }

    #[test]
    fn only_success_and_timeout_leave_room_for_having_been_handled() {
        let may: Vec<Code> =
            Code::ALL.into_iter().filter(|code| code.may_have_been_handled()).collect();
        assert_eq!(may, [Code::Ok, Code::TimedOut]);
    }

    #[test]
    fn every_reason_has_its_own_number_and_kind() {
        let numbers: BTreeSet<u32> = Reason::ALL.iter().map(|reason| reason.number()).collect();
        let kinds: BTreeSet<&str> = Reason::ALL.iter().map(|reason| reason.kind()).collect();
        assert_eq!((numbers.len(), kinds.len()), (Reason::ALL.len(), Reason::ALL.len()));
        for &reason in Reason::ALL {
            assert_eq!(Reason::from_number(reason.number()), reason);
        }
        assert_eq!(Reason::from_number(u32::MAX), Reason::Unspecified);
    }
}
