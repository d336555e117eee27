#![doc = include_str!("../README.md")]

mod builder;
mod client;
mod connect_error;
mod driver;
mod entropy;
mod env_error;
mod environment;
mod event;
mod files;
mod key_file;
mod lease;
mod line;
mod message;
mod outcome;
mod outgoing;
mod private;
mod publish;
mod publishes;
mod queue;
mod room;
mod state;
mod subscribe;
mod subscription;
mod tasks;
mod topic;

pub use amop_auth::{Fingerprint, PublicKey, PublicKeyError, SecretKey, SecretKeyError};
pub use amop_core::client::{Gap, PRIVATE_MESSAGE_BYTES_MAX};
pub use amop_files::{FolderError, Overwrite, Pattern, Settings as FolderSettings, SourceError};
pub use amop_p2p::{
    DialError, EndpointError, HandshakeError, Identity, IdentityError, LinkEnd, Password,
    PasswordError, RevocationError, Revocations, Settings, Trust, TrustError,
};
pub use amop_wire::{
    AnswerStatus, Code, Instance, Mode, MsgId, Name, Reason, Topic, TopicError, limits,
};
pub use builder::ClientBuilder;
pub use bytes::Bytes;
pub use client::Client;
pub use connect_error::{AttemptError, ConnectError};
pub use env_error::EnvError;
pub use environment::Environment;
pub use event::{Event, Events};
pub use files::{
    FileAtReceiver, FileOutcome, FileReceiver, FileSending, FileSendingToAll, FileSent,
    FileSentToAll, IncomingFile, Progress, ProgressToAll, ReceiveFileError, ReceiveFiles, SendFile,
    SendFileError, SendFileToAll,
};
pub use key_file::{KeyFileError, generate_key, read_key_file, read_public_key, write_key_file};
pub use message::{Message, ReplyError};
pub use outcome::{Answer, MulticastReceipt, PublishError};
pub use private::{Private, PrivateError, PrivateTopic, Proved, Verified};
pub use publish::{Pending, Publish, Publishing, Submit};
pub use subscribe::{Subscribe, SubscribeError};
pub use subscription::Subscription;
pub use topic::IntoTopic;
