//! What became of multicasts at one exit node, as it reports to the publisher's node.

use crate::delivery::Receipt;
use crate::fields::{bad, msg_id};
use crate::generated as pb;
use crate::{MessageError, MsgId};

/// Multicasts `first`, `first + 1`, … of one publisher that all ended alike at one exit node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerReceiptRun {
    /// The first of them.
    pub first: MsgId,
    /// How many. A receiver refuses a run whose counter and `count` add up to over `u64::MAX`.
    pub count: u32,
    /// What became of each at the sender's subscribers.
    pub receipt: Receipt,
}

pub(crate) fn put_receipts(runs: &[PeerReceiptRun]) -> pb::PeerReceipts {
    let run = |run: &PeerReceiptRun| pb::PeerReceiptRun {
        publisher: Some(run.first.publisher.0),
        first: Some(run.first.counter),
        count: Some(run.count),
        acked: Some(run.receipt.acked),
        refused: Some(run.receipt.refused),
        unknown: Some(run.receipt.unknown),
    };
    pb::PeerReceipts { runs: runs.iter().map(run).collect() }
}

pub(crate) fn read_receipts(
    runs: &[pb::PeerReceiptRun],
) -> Result<Vec<PeerReceiptRun>, MessageError> {
    let run = |run: &pb::PeerReceiptRun| {
        let first = msg_id(run.publisher, run.first);
        let count = run.count.unwrap_or_default();
        if first.counter.checked_add(count.into()).is_none() {
            return Err(bad("receipts.count", "first + count passes the last number"));
        }
        let receipt = Receipt {
            acked: run.acked.unwrap_or_default(),
            refused: run.refused.unwrap_or_default(),
            unknown: run.unknown.unwrap_or_default(),
        };
        Ok(PeerReceiptRun { first, count, receipt })
    };
    runs.iter().map(run).collect()
}
