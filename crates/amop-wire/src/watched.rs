//! Who subscribes to a topic, as a node tells a publisher that watches it.

use crate::announcement::check_count;
use crate::fields::{node_id, node_id_words, text, topic};
use crate::generated as pb;
use crate::limits::WATCHED_SUBSCRIBERS_MAX;
use crate::{Epoch, Instance, MessageError, NodeId, Topic};

/// Who came to a topic and who went, as far as a node knows and can reach them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Whether these are all, so that who is not named is gone.
    pub is_all: bool,
    /// To what they subscribe.
    pub topic: Topic,
    /// Who came, or is elsewhere now: at most [`WATCHED_SUBSCRIBERS_MAX`].
    pub present: Vec<Seated>,
    /// Who went: at most [`WATCHED_SUBSCRIBERS_MAX`].
    pub gone: Vec<Instance>,
}

/// A subscriber and where it is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seated {
    /// Who.
    pub instance: Instance,
    /// To which node.
    pub node: NodeId,
    /// In which life of that node.
    pub epoch: Epoch,
}

impl Watched {
    pub(crate) fn to_proto(&self) -> pb::Watched {
        let seated = |seated: &Seated| pb::Seated {
            instance: Some(seated.instance.0),
            node: node_id_words(seated.node),
            epoch: Some(seated.epoch.0),
        };
        pb::Watched {
            is_all: Some(self.is_all),
            topic: text(self.topic.as_bytes()),
            present: self.present.iter().map(seated).collect(),
            gone: self.gone.iter().map(|gone| gone.0).collect(),
        }
    }
}

pub(crate) fn read_watched(watched: &pb::Watched) -> Result<Watched, MessageError> {
    check_count("watched.present", watched.present.len(), WATCHED_SUBSCRIBERS_MAX)?;
    check_count("watched.gone", watched.gone.len(), WATCHED_SUBSCRIBERS_MAX)?;
    let seated = |seated: &pb::Seated| {
        Ok(Seated {
            instance: Instance(seated.instance.unwrap_or_default()),
            node: node_id("watched.node", seated.node)?,
            epoch: Epoch(seated.epoch.unwrap_or_default()),
        })
    };
    Ok(Watched {
        is_all: watched.is_all.unwrap_or_default(),
        topic: topic("watched.topic", &watched.topic)?,
        present: watched.present.iter().map(seated).collect::<Result<_, _>>()?,
        gone: watched.gone.iter().map(|&gone| Instance(gone)).collect(),
    })
}
