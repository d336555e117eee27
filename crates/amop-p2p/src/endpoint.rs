//! A socket with all links of one kind that begin or end on it.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use amop_wire::limits::{
    ALL_INCOMING_BYTES_MAX, HALF_OPEN_UNPROVED_MAX, INCOMING_BYTES_MAX, INCOMING_MAX,
};
use amop_wire::{CloseCode, Name, Role};
use quinn::{ConnectError, ServerConfig, TransportConfig, VarInt};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::debug;

use crate::handshake::{Context, Counted, Handshake, HandshakeError};
use crate::identity::Identity;
use crate::kind::{LinkKind, Side};
use crate::link::Link;
use crate::newcomers::Newcomers;
use crate::open::OpenLinks;
use crate::run::now;
use crate::settings::Settings;
use crate::tls::Tls;
use crate::trust::Trust;
use crate::workers::Workers;

/// A socket that accepts links, dials them, or both. Cheap to clone.
///
/// Its tasks run on the tokio runtime it was made in, and end with it; the runtime needs I/O and
/// time. A link outlives the endpoint's handles.
#[derive(Clone, Debug)]
pub struct Endpoint {
    quinn: quinn::Endpoint,
    pub(crate) context: Context,
    pub(crate) tls: Tls,
    dialing: Arc<TransportConfig>,
    half_open: Arc<AtomicUsize>,
    newcomers: Newcomers,
    /// Whether the endpoint shuts down.
    stopping: Arc<watch::Sender<bool>>,
}

impl Endpoint {
    /// Accepts links at `addr`. Port 0 lets the system choose. A node endpoint dials from the same
    /// socket; that of an SDK link only accepts, since a node is no SDK.
    ///
    /// # Errors
    ///
    /// [`EndpointError`]: the address, the settings or the role of the identity is wrong.
    ///
    /// # Panics
    ///
    /// If called outside of a tokio runtime.
    pub fn listen(
        addr: SocketAddr,
        kind: LinkKind,
        identity: &Identity,
        trust: &Trust,
        settings: Settings,
    ) -> Result<Self, EndpointError> {
        check_role(kind, Side::Acceptor, identity)?;
        let socket = bind(addr).map_err(|source| EndpointError::Bind { addr, source })?;
        let tls = Tls::new(kind, (identity.clone(), trust.clone()), &settings.cryptography)?;
        let mut server = ServerConfig::with_crypto(Arc::new(tls.acceptor()));
        server
            .transport_config(settings.transport(Side::Acceptor)?)
            .max_incoming(INCOMING_MAX)
            .incoming_buffer_size(INCOMING_BYTES_MAX)
            .incoming_buffer_size_total(ALL_INCOMING_BYTES_MAX);
        Self::new(socket, kind, tls, (identity, trust), settings, Some(server))
    }

    /// Only dials, from a port that the system chooses, to addresses of both families if the
    /// system has both.
    ///
    /// # Errors
    ///
    /// [`EndpointError`]: the settings or the role of the identity is wrong, or there is no
    /// socket to be had.
    ///
    /// # Panics
    ///
    /// If called outside of a tokio runtime.
    pub fn dial_only(
        kind: LinkKind,
        identity: &Identity,
        trust: &Trust,
        settings: Settings,
    ) -> Result<Self, EndpointError> {
        check_role(kind, Side::Dialer, identity)?;
        let (v6, v4) = ((Ipv6Addr::UNSPECIFIED, 0), (Ipv4Addr::UNSPECIFIED, 0));
        let socket = bind(v6.into())
            .or_else(|_| bind(v4.into()))
            .map_err(|source| EndpointError::Bind { addr: v4.into(), source })?;
        let tls = Tls::new(kind, (identity.clone(), trust.clone()), &settings.cryptography)?;
        Self::new(socket, kind, tls, (identity, trust), settings, None)
    }

    fn new(
        socket: UdpSocket,
        kind: LinkKind,
        tls: Tls,
        (identity, trust): (&Identity, &Trust),
        settings: Settings,
        server: Option<ServerConfig>,
    ) -> Result<Self, EndpointError> {
        let dialing = settings.transport(Side::Dialer)?;
        let config = settings.endpoint(identity.reset_keys())?;
        let quinn = quinn::Endpoint::new(config, server, socket, settings.workers.runtime())
            .map_err(EndpointError::Socket)?;
        let newcomers = Newcomers::new(settings.handshakes_per_address, settings.handshakes);
        Ok(Self {
            quinn,
            context: Context {
                kind,
                settings: Arc::new(settings),
                open: OpenLinks::default(),
                links: Arc::default(),
                trust: trust.clone(),
            },
            tls,
            dialing,
            half_open: Arc::default(),
            newcomers,
            stopping: Arc::new(watch::Sender::new(false)),
        })
    }

    /// Shows another certificate of the same name in every handshake from now on. Links that are open stay as they are.
    pub fn show(&self, identity: &Identity) {
        self.tls.show(identity);
    }

    /// Lets each address, and all of them together, begin so many links a second, and so many at once after a pause, from
    /// now on, as [`Settings::handshakes_per_address`] and [`Settings::handshakes`] did until then. At other paces than
    /// before nobody has begun any yet.
    pub fn set_handshakes(&self, per_address: (u32, u32), all: (u32, u32)) {
        self.newcomers.set(per_address, all);
    }

    /// Where the work of its links is done.
    #[must_use]
    pub fn workers(&self) -> &Workers {
        &self.context.settings.workers
    }

    /// The address of the socket.
    ///
    /// # Errors
    ///
    /// What the system says about the socket.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.quinn.local_addr()
    }

    /// Waits for somebody who wants to link; `None` once the endpoint is shut down.
    ///
    /// Nobody is judged yet: that is [`Handshake::complete`]. While many handshakes are half open, or its
    /// address has begun too many, a newcomer must first prove its address, which costs it a round trip and
    /// us no memory.
    pub async fn accept(&self) -> Option<Handshake> {
        let mut stopping = self.stopping.subscribe();
        loop {
            let incoming = tokio::select! {
                biased;
                _ = stopping.wait_for(|stopping| *stopping) => None,
                incoming = self.quinn.accept() => incoming,
            }?;
            let (half_open, unlinked) = (self.half_open.load(Ordering::Relaxed), self.unlinked());
            // Those that have only just been let in are no connections yet.
            let is_full = half_open.max(unlinked) >= self.context.settings.unlinked_max;
            let (remote, now) = (incoming.remote_address(), now());
            let is_proved = incoming.remote_address_validated();
            let is_in_pace = self.newcomers.may_begin(now, remote.ip());
            if is_full || is_proved && !is_in_pace {
                debug!(%remote, half_open, unlinked, is_in_pace, "refusing a handshake");
                incoming.refuse();
            } else if (half_open >= HALF_OPEN_UNPROVED_MAX || !is_in_pace) && !is_proved {
                // It fails only if the address is proved already.
                let _ = incoming.retry();
            } else {
                self.newcomers.begins(now, remote.ip());
                let half_open = Counted::count(&self.half_open);
                return Some(Handshake { incoming, context: self.context.clone(), half_open });
            }
        }
    }

    /// How many connections are no links. QUIC keeps all that it has of one for a while after its end, so that
    /// whoever fails in handshakes one after another takes memory for each.
    fn unlinked(&self) -> usize {
        let links = self.context.links.load(Ordering::Relaxed);
        self.quinn.open_connections().saturating_sub(links)
    }

    /// Links with whoever is at `addr`, which must be `expected` if that is given.
    ///
    /// # Errors
    ///
    /// [`HandshakeError`] says which side is at fault.
    pub async fn dial(
        &self,
        addr: SocketAddr,
        expected: Option<&Name>,
    ) -> Result<Link, HandshakeError> {
        let rules = self.context.trust.rules();
        let mut config = quinn::ClientConfig::new(Arc::new(self.tls.dialer(expected)));
        config.transport_config(Arc::clone(&self.dialing));
        let connecting =
            self.quinn.connect_with(config, addr, NO_SERVER_NAME).map_err(|error| match error {
                ConnectError::EndpointStopping => HandshakeError::ShutDown,
                _ => HandshakeError::BadAddress { remote: addr },
            })?;
        self.context.link(Side::Dialer, addr, rules, connecting).await
    }

    /// Ends the endpoint: accepts nothing more, waits until every link that was closed has told
    /// its peer, at most [`flush_timeout`](Settings::flush_timeout), and closes what is left.
    ///
    /// Close the links before.
    pub async fn shutdown(&self) {
        self.stopping.send_replace(true);
        let patience = self.context.settings.flush_timeout;
        if timeout(patience, self.refuse_until_idle()).await.is_err() {
            let code = VarInt::from_u32(CloseCode::Shutdown.number());
            self.quinn.close(code, b"the endpoint shut down");
            // Those who lost the race against the clock are told nevertheless, if it is quick.
            let _ = timeout(LAST_WORDS, self.quinn.wait_idle()).await;
        }
        self.quinn.close(VarInt::from_u32(CloseCode::Shutdown.number()), b"");
    }

    async fn refuse_until_idle(&self) {
        let idle = self.quinn.wait_idle();
        tokio::pin!(idle);
        loop {
            tokio::select! {
                () = &mut idle => return,
                Some(incoming) = self.quinn.accept() => incoming.refuse(),
            }
        }
    }
}

/// Why there is no endpoint. The configuration is at fault, or the system.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// The certificate is made for another role than this end of the link has.
    #[error("certificate {} has the role {}, but {wanted} is needed", .name.as_dns(), .name.role())]
    WrongRole {
        /// The certified name.
        name: Name,
        /// The role that is needed.
        wanted: Role,
    },
    /// [`Settings::cryptography`] leaves nothing to encrypt or to agree on keys with.
    #[error("no cipher suite, or no key exchange, is allowed")]
    NoCryptography,
    /// [`Settings::udp_payload_max`] is out of its range.
    #[error("largest UDP payload of {value} bytes is out of range")]
    UdpPayload {
        /// The value.
        value: u16,
    },
    /// [`Settings::idle_timeout`] is longer than QUIC can say.
    #[error("idle timeout of {value:?} is too long")]
    IdleTimeout {
        /// The value.
        value: Duration,
    },
    /// [`Settings::keep_alive`] is no shorter than [`Settings::idle_timeout`]: links with nothing
    /// to say would be lost.
    #[error("keep-alive of {keep_alive:?} is no shorter than the idle timeout of {idle_timeout:?}")]
    KeepAlive {
        /// The keep-alive.
        keep_alive: Duration,
        /// The idle timeout.
        idle_timeout: Duration,
    },
    /// The system does not give the address to us.
    #[error("cannot bind {addr}")]
    Bind {
        /// The address.
        addr: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The system does not let us use the socket.
    #[error("cannot use the socket")]
    Socket(#[source] io::Error),
}

fn check_role(kind: LinkKind, side: Side, identity: &Identity) -> Result<(), EndpointError> {
    let (name, wanted) = (identity.name().clone(), kind.role(side));
    if name.role() == wanted { Ok(()) } else { Err(EndpointError::WrongRole { name, wanted }) }
}

/// Binds a socket with large buffers: with the usual ones, a burst of packets on a fast path is
/// lost in the kernel.
fn bind(addr: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
    if addr.is_ipv6() && addr.ip().is_unspecified() {
        socket.set_only_v6(false)?;
    }
    // The system may cap the sizes without saying so, and refusing them is no reason to stop.
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER_BYTES);
    socket.bind(&addr.into())?;
    Ok(socket.into())
}

const SOCKET_BUFFER_BYTES: usize = 4 << 20;

/// How long the last closes may take that did not happen in time.
const LAST_WORDS: Duration = Duration::from_millis(300);

/// QUIC wants a server's name; ours are certified, and none is sent.
const NO_SERVER_NAME: &str = "amop.invalid";

#[cfg(test)]
mod tests;
