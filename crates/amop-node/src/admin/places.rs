//! How many connections the admin interface has at a time: each takes a descriptor, and whoever connects again and again
//! could else take all that the daemon has.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A listener with [`CONNECTIONS_MAX`] places. While all of them are taken, whoever connects waits in the system's queue.
#[derive(Debug)]
pub(super) struct Places<L> {
    listener: L,
    free: Arc<Semaphore>,
}

impl<L> Places<L> {
    pub(super) fn at(listener: L) -> Self {
        Self { listener, free: Arc::new(Semaphore::new(CONNECTIONS_MAX)) }
    }
}

impl<L: Listener> Listener for Places<L> {
    type Io = Placed<L::Io>;
    type Addr = L::Addr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let place = Arc::clone(&self.free).acquire_owned().await.expect("it is never closed");
        let (io, addr) = self.listener.accept().await;
        (Placed { io, _place: place }, addr)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// A connection, which has its place until it is dropped.
#[derive(Debug)]
pub(super) struct Placed<T> {
    io: T,
    _place: OwnedSemaphorePermit,
}

impl<T: AsyncRead + Unpin> AsyncRead for Placed<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Placed<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// Most connections at the socket, and most at the port.
const CONNECTIONS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;

    use tokio::net::{UnixListener, UnixStream};

    use super::*;

    #[tokio::test]
    async fn one_connection_too_many_is_accepted_once_another_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let mut places = Places::at(UnixListener::bind(&path).unwrap());
        let mut waiting = Vec::new();
        for _ in 0..=CONNECTIONS_MAX {
            waiting.push(UnixStream::connect(&path).await.unwrap());
        }
        let mut accepted = Vec::new();
        for _ in 0..CONNECTIONS_MAX {
            accepted.push(places.accept().await);
        }
        let mut another = pin!(places.accept());
        let is_ready = poll_fn(|cx| Poll::Ready(another.as_mut().poll(cx).is_ready())).await;
        assert!(!is_ready, "no place is free");
        accepted.pop();
        another.await;
    }
}
