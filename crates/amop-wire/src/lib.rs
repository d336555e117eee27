#![doc = include_str!("../README.md")]

mod announcement;
mod client_message;
mod close;
mod code;
mod delivery;
mod fields;
mod frame;
#[expect(unreachable_pub, reason = "the .proto files document what is generated")]
mod generated;
mod hot;
mod ids;
mod in_order;
mod lane;
pub mod limits;
mod message;
mod name;
mod node_message;
mod peer_message;
mod recent;
mod relay;
mod signed;
mod terms;
mod time;
mod topic;
mod transit;
mod tree;

pub use announcement::{Announcement, AnnouncementChanges, Subscriber, TopicChange};
pub use client_message::{AckRun, Answer, Attempt, ClientMessage, Publish, Refuse};
pub use close::{CloseCode, CloseReason};
pub use code::{Code, Reason};
pub use delivery::{AnswerStatus, Mode, Receipt};
pub use frame::{Frame, FrameDecoder, FrameError, put_frame_head};
pub use ids::{Epoch, Gen, Instance, MsgId, NodeId, Seq, Version};
pub use lane::Lane;
pub use message::{Message, MessageError};
pub use name::{Name, NameError, Role};
pub use node_message::{Delivery, NodeMessage, Outcome, ReceiptRun};
pub use peer_message::{Multicast, PeerAnswer, PeerMessage, PeerReceiptRun, PeerRefusal, Request};
pub use recent::Recent;
pub use relay::{Path, Relay, Returned};
pub use signed::{AnnouncementHead, BadChain, Chain, SetDigest, SignedHead};
pub use terms::{Key, Terms};
pub use time::Instant;
pub use topic::{Topic, TopicError};
pub use transit::{STAMP_BYTES, Transit, put_stamp};
pub use tree::{Stop, Tree};
