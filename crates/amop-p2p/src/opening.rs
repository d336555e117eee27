//! Opens the lanes of a new connection.
//!
//! The dialer opens all of them, most urgent first. The first byte on each lane, from both sides,
//! is the lane's number: it makes the stream known to the peer, which would otherwise not see it
//! before the first frame, and shows at once whether the peer knows what a lane is.

use amop_wire::Lane;
use quinn::{Connection, ConnectionError, ReadError, RecvStream, SendStream, WriteError};

use crate::lane::{LaneReader, LaneWriter};

/// Why the lanes are not open.
pub(crate) enum LaneError {
    /// The connection ended meanwhile.
    Connection(ConnectionError),
    /// The peer did something else than to open them.
    Protocol(String),
}

/// In the order of [`Lane::ALL`].
pub(crate) type Lanes = [(LaneWriter, LaneReader); Lane::COUNT];

/// Opens the lanes and waits until the acceptor has opened its side of each.
pub(crate) async fn open_lanes(connection: &Connection) -> Result<Lanes, LaneError> {
    let mut streams = Vec::with_capacity(Lane::ALL.len());
    for lane in Lane::ALL {
        let (mut send, receive) = connection.open_bi().await.map_err(LaneError::Connection)?;
        begin(&mut send, lane).await?;
        streams.push((send, receive));
    }
    let mut lanes = Vec::with_capacity(Lane::ALL.len());
    for (lane, (send, mut receive)) in Lane::ALL.into_iter().zip(streams) {
        expect_beginning(&mut receive, lane).await?;
        lanes.push((LaneWriter::new(send), LaneReader::new(lane, receive)));
    }
    Ok(lanes.try_into().ok().expect("there is one for each lane"))
}

/// Takes the lanes that the dialer opens, and opens our side of each.
pub(crate) async fn accept_lanes(connection: &Connection) -> Result<Lanes, LaneError> {
    let mut lanes = Vec::with_capacity(Lane::ALL.len());
    for lane in Lane::ALL {
        let streams = connection.accept_bi().await.map_err(LaneError::Connection)?;
        let (mut send, mut receive) = streams;
        expect_beginning(&mut receive, lane).await?;
        begin(&mut send, lane).await?;
        lanes.push((LaneWriter::new(send), LaneReader::new(lane, receive)));
    }
    Ok(lanes.try_into().ok().expect("there is one for each lane"))
}

async fn begin(send: &mut SendStream, lane: Lane) -> Result<(), LaneError> {
    let priority = 3 - i32::from(lane.number());
    let begun = match send.set_priority(priority) {
        Ok(()) => send.write_all(&[lane.number()]).await,
        Err(closed) => Err(closed.into()),
    };
    begun.map_err(|error| match error {
        WriteError::ConnectionLost(error) => LaneError::Connection(error),
        other => LaneError::Protocol(format!("lane {}: {other}", lane.number())),
    })
}

async fn expect_beginning(receive: &mut RecvStream, lane: Lane) -> Result<(), LaneError> {
    let mut first = [0];
    match receive.read(&mut first).await {
        Ok(Some(_)) if first == [lane.number()] => Ok(()),
        Ok(Some(_)) => {
            let text = format!("lane {} begins with {}", lane.number(), first[0]);
            Err(LaneError::Protocol(text))
        }
        Ok(None) => Err(LaneError::Protocol(format!("lane {} is empty", lane.number()))),
        Err(ReadError::ConnectionLost(error)) => Err(LaneError::Connection(error)),
        Err(other) => Err(LaneError::Protocol(format!("lane {}: {other}", lane.number()))),
    }
}
