//! Whether packets get to the node and back, before anybody has proved anything.
//!
//! A packet of a version of QUIC that does not exist costs whoever answers nothing: it names the versions that it has
//! (RFC 9000, 6.1). So the answer tells that somebody with QUIC is there, and that packets as long as those of a
//! handshake come through in both directions.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::timeout;

use crate::clock;
use crate::exit::Exit;

use super::QUESTION_MIN;
use super::layer::{Broken, Layer};

/// Where an answer came from.
pub(super) struct Reached {
    pub(super) addr: SocketAddr,
    pub(super) round_trip: Duration,
}

/// Asks one address after another. The patience is for all of them.
pub(super) async fn reach(addrs: &[SocketAddr], patience: Duration) -> Result<Reached, Broken> {
    let questions = u32::try_from(addrs.len()).unwrap_or(1).saturating_mul(TRIES);
    let wait = (patience / questions.max(1)).max(QUESTION_MIN);
    let mut last = None;
    for &addr in addrs {
        match ask(addr, wait).await {
            Ok(Answer::Quic(round_trip)) => return Ok(Reached { addr, round_trip }),
            other => last = Some((addr, other)),
        }
    }
    let (addr, last) = last.expect("there was an address");
    Err(broken(addr, last))
}

/// What came back.
#[derive(Debug)]
enum Answer {
    Quic(Duration),
    SomethingElse,
    Nothing,
}

async fn ask(addr: SocketAddr, wait: Duration) -> io::Result<Answer> {
    let any: SocketAddr = match addr {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).await?;
    // Of a connected socket the system tells that nobody listens there.
    socket.connect(addr).await?;
    let begun = clock::moment();
    let mut answer = [0; 1500];
    for _ in 0..TRIES {
        socket.send(&question()).await?;
        match timeout(wait, socket.recv(&mut answer)).await {
            Ok(Ok(length)) if is_of_quic(&answer[..length]) => {
                return Ok(Answer::Quic(begun.elapsed()));
            }
            Ok(Ok(_)) => return Ok(Answer::SomethingElse),
            Ok(Err(error)) => return Err(error),
            Err(_) => {}
        }
    }
    Ok(Answer::Nothing)
}

/// The beginning of a connection in a version that is kept free for this.
fn question() -> Vec<u8> {
    let mut packet = vec![0xc0, 0x1a, 0x2a, 0x3a, 0x4a];
    for id in [THEIRS, OURS] {
        packet.push(u8::try_from(id.len()).expect("it is short"));
        packet.extend(id);
    }
    packet.resize(PACKET_BYTES, 0);
    packet
}

/// Whether it names versions, and to whom we are.
fn is_of_quic(answer: &[u8]) -> bool {
    let mut expected = vec![0, 0, 0, 0, u8::try_from(OURS.len()).expect("it is short")];
    expected.extend(OURS);
    answer.first().is_some_and(|first| first & 0x80 != 0) && answer[1..].starts_with(&expected)
}

fn broken(addr: SocketAddr, why: io::Result<Answer>) -> Broken {
    let port = addr.port();
    let (text, next) = match why {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => (
            format!("nobody listens at UDP port {port} of {}", addr.ip()),
            "does the node run? Its log says where it listens (`node started`), its \
             configuration where it is to (`sdk.listen`)"
                .to_owned(),
        ),
        Err(error) => (
            format!("no packet can be sent to {addr}: {error}"),
            format!("`ip route get {}` shows the way that this machine would take", addr.ip()),
        ),
        Ok(Answer::SomethingElse) => (
            format!("what answers at {addr} does not speak QUIC"),
            "give the port for clients, `sdk.listen` of the node".to_owned(),
        ),
        Ok(_) => (
            format!("no answer from {addr} over UDP"),
            format!(
                "let UDP port {port} through every firewall on the way, in both directions; TCP is not used"
            ),
        ),
    };
    Broken { layer: Layer::Udp, exit: Exit::UNAVAILABLE, text, next }
}

/// A packet may be lost.
const TRIES: u32 = 3;

/// As long as the first packet of a handshake must be.
const PACKET_BYTES: usize = 1200;

const THEIRS: &[u8; 8] = b"amop?who";
const OURS: &[u8; 8] = b"amop?me!";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_to_us_that_names_versions_is_one_of_quic() {
        let answer = |id: &[u8]| [&[0x80, 0, 0, 0, 0, 8][..], id, &[0; 9]].concat();
        assert!(is_of_quic(&answer(OURS)));
        assert!(!is_of_quic(&answer(THEIRS)), "it is to somebody else");
        assert!(!is_of_quic(&question()), "it only came back");
        assert!(!is_of_quic(b"HTTP/1.0 400") && !is_of_quic(&[]));
    }
}
