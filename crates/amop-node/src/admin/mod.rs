//! The admin interface of the daemon: HTTP on a unix socket, and read-only on a loopback port if there is one.
//!
//! Whoever may open the socket (mode 0600) is the operator; nobody else is asked for a password. The port shows
//! the same views to everybody on the machine, and takes no orders. It listens on loopback alone, and refuses
//! requests that name another host, so that no web page can read it through a browser.

mod metrics;
mod places;
mod routes;

use std::fmt;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use amop_node::Window;
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tracing::error;

use places::Places;

/// What the operator asks the daemon for.
#[derive(Debug)]
pub(crate) enum Order {
    /// Read the configuration again, and say what came of it.
    Reload(oneshot::Sender<Result<Reloaded, String>>),
    /// Drain and stop.
    Drain,
}

/// What a reload did.
#[derive(Clone, Debug, serde::Serialize)]
pub(crate) struct Reloaded {
    /// Keys that were changed and count only from the next start on.
    pub(crate) needs_restart: Vec<String>,
}

/// How often the configuration was read again.
#[derive(Debug, Default)]
pub(crate) struct Reloads {
    pub(crate) taken: AtomicU64,
    pub(crate) refused: AtomicU64,
}

/// What the routes work with.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) node: Window,
    pub(crate) orders: mpsc::Sender<Order>,
    pub(crate) reloads: Arc<Reloads>,
    pub(crate) set_log_level: SetLogLevel,
}

/// Changes what is logged, or says why it cannot.
pub(crate) type SetLogLevel = Arc<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").field("node", &self.node).finish_non_exhaustive()
    }
}

/// The sockets, before anybody is served.
#[derive(Debug)]
pub(crate) struct Listening {
    socket: UnixListener,
    path: PathBuf,
    port: Option<TcpListener>,
}

impl Listening {
    /// Takes socket and port.
    pub(crate) async fn on(path: &Path, addr: Option<SocketAddr>) -> Result<Self, CannotListen> {
        let no_socket = |source| CannotListen::Socket { path: path.into(), source };
        let socket = open(path).await.map_err(no_socket)?;
        let port = match addr {
            Some(addr) => Some(
                TcpListener::bind(addr)
                    .await
                    .map_err(|source| CannotListen::Port { addr, source })?,
            ),
            None => None,
        };
        Ok(Self { socket, path: path.into(), port })
    }

    /// The port that was taken.
    pub(crate) fn addr(&self) -> Option<SocketAddr> {
        self.port.as_ref().and_then(|port| port.local_addr().ok())
    }

    /// Serves until the returned guard is dropped, which also removes the socket.
    pub(crate) fn serve(self, desk: &Desk) -> Serving {
        let mut tasks = Vec::new();
        if let Some(port) = self.port {
            let routes = routes::read_only(desk.clone());
            tasks.push(tokio::spawn(
                async move { ended(axum::serve(Places::at(port), routes).await) },
            ));
        }
        let (socket, routes) = (self.socket, routes::all(desk.clone()));
        tasks.push(tokio::spawn(
            async move { ended(axum::serve(Places::at(socket), routes).await) },
        ));
        Serving { tasks, path: self.path }
    }
}

fn ended(result: io::Result<()>) {
    if let Err(error) = result {
        error!(%error, "the admin interface ended");
    }
}

/// The interface while it is served.
#[derive(Debug)]
pub(crate) struct Serving {
    tasks: Vec<tokio::task::JoinHandle<()>>,
    path: PathBuf,
}

impl Drop for Serving {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
        // What is left is found and replaced by the next start.
        let _ = fs::remove_file(&self.path);
    }
}

/// Makes the socket, in place of one that nobody serves any more.
async fn open(path: &Path) -> io::Result<UnixListener> {
    if let Ok(metadata) = fs::symlink_metadata(path) {
        if !metadata.file_type().is_socket() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "a file of this name exists"));
        }
        if UnixStream::connect(path).await.is_ok() {
            return Err(io::Error::new(io::ErrorKind::AddrInUse, "another process serves it"));
        }
        fs::remove_file(path)?;
    }
    // Nobody else may open it, not even for the moment before its mode is set.
    let directory = tempdir_beside(path)?;
    let inside = directory.join("s");
    let listener = UnixListener::bind(&inside)?;
    let placed = fs::set_permissions(&inside, fs::Permissions::from_mode(0o600))
        .and_then(|()| fs::rename(&inside, path));
    let _ = fs::remove_dir_all(&directory);
    placed.map(|()| listener)
}

/// A directory that nobody else may enter, beside the socket.
fn tempdir_beside(path: &Path) -> io::Result<PathBuf> {
    use std::os::unix::fs::DirBuilderExt;
    let parent = path.parent().unwrap_or(Path::new("."));
    let directory = parent.join(format!(".amop-{}", std::process::id()));
    fs::DirBuilder::new().mode(0o700).create(&directory)?;
    Ok(directory)
}

/// Why there is no admin interface.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CannotListen {
    /// The socket cannot be made.
    #[error("cannot make the socket {} (`admin.socket`)", .path.display())]
    Socket {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The port cannot be had.
    #[error("cannot listen on {addr} (`admin.listen`); is the port in use?")]
    Port {
        /// Which.
        addr: SocketAddr,
        /// Why.
        source: io::Error,
    },
}
