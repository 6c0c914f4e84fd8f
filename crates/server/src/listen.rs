//! Where the server listens, and how connections are served.

use crate::app::App;
use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tracing::{debug, warn};

/// Bytes of a request's head.
const HEAD: usize = 32 << 10;
/// Fields of a request's head.
const FIELDS: usize = 100;
/// How long accepting rests when the system has no more descriptors.
const REST: Duration = Duration::from_millis(50);

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A host, by name or address, and a port; port 0 takes a free one.
    Tcp {
        /// The host.
        host: String,
        /// The port.
        port: u16,
    },
    /// A Unix socket.
    Unix(PathBuf),
}

impl fmt::Display for Address {
    /// As a client is told.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp { host, port } if host.contains(':') => {
                write!(f, "http://[{host}]:{port}")
            }
            Address::Tcp { host, port } => write!(f, "http://{host}:{port}"),
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// The other end of a connection.
#[derive(Clone, Debug)]
pub struct Peer(pub String);

/// A socket that listens.
pub enum Listener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixListener, PathBuf),
}

impl Address {
    /// Listens there. Returns where that is, with the port that was taken.
    pub fn listen(&self) -> io::Result<(Listener, Address)> {
        match self {
            Address::Tcp { host, port } => {
                let addresses: Vec<SocketAddr> =
                    (host.as_str(), *port).to_socket_addrs()?.collect();
                let listener = TcpListener::bind(&addresses[..])?;
                listener.set_nonblocking(true)?;
                let local = listener.local_addr()?;
                let address = Address::Tcp { host: local.ip().to_string(), port: local.port() };
                Ok((Listener::Tcp(listener), address))
            }
            #[cfg(unix)]
            Address::Unix(path) => {
                let listener = unix::listen(path)?;
                Ok((Listener::Unix(listener, path.clone()), self.clone()))
            }
            #[cfg(not(unix))]
            Address::Unix(_) => Err(io::Error::other("there are no Unix sockets here")),
        }
    }

    /// Whether only this machine can reach it, over the network's names.
    pub fn is_loopback(&self) -> bool {
        let Address::Tcp { host, .. } = self else { return false };
        host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// Whether others than this machine's users can reach it.
    pub fn is_public(&self) -> bool {
        let Address::Tcp { host, port } = self else { return false };
        let addresses = (host.as_str(), *port).to_socket_addrs();
        !addresses.is_ok_and(|mut addresses| addresses.all(|address| address.ip().is_loopback()))
    }
}

#[cfg(unix)]
mod unix {
    use std::fs;
    use std::io;
    use std::os::unix::fs::{FileTypeExt, PermissionsExt};
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::path::Path;

    /// Listens at a path, for this user and group. A socket that nobody listens at any more is replaced.
    pub fn listen(path: &Path) -> io::Result<UnixListener> {
        let is_socket = fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
        if is_socket && UnixStream::connect(path).is_err() {
            fs::remove_file(path)?;
        }
        let listener = UnixListener::bind(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o660))?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    }
}

/// The listener, once a runtime is there.
enum Accepting {
    Tcp(tokio::net::TcpListener),
    #[cfg(unix)]
    Unix(tokio::net::UnixListener, PathBuf),
}

/// A connection's stream.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Accepting {
    fn new(listener: Listener) -> io::Result<Accepting> {
        Ok(match listener {
            Listener::Tcp(listener) => Accepting::Tcp(tokio::net::TcpListener::from_std(listener)?),
            #[cfg(unix)]
            Listener::Unix(listener, path) => {
                Accepting::Unix(tokio::net::UnixListener::from_std(listener)?, path)
            }
        })
    }

    async fn accept(&self) -> io::Result<(Box<dyn Stream>, Peer)> {
        match self {
            Accepting::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                // Else an answer's last part waits for the client's acknowledgement: 40 ms.
                stream.set_nodelay(true)?;
                Ok((Box::new(stream), Peer(peer.to_string())))
            }
            #[cfg(unix)]
            Accepting::Unix(listener, _) => {
                let (stream, _) = listener.accept().await?;
                Ok((Box::new(stream), Peer("unix".to_owned())))
            }
        }
    }
}

impl Drop for Accepting {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Accepting::Unix(_, path) = self {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Accepts connections until `stop` is done, and serves them. What is returned waits for those that are still open.
pub async fn accept(
    listener: Listener,
    router: Router,
    app: &Arc<App>,
    stop: impl Future<Output = ()>,
) -> io::Result<GracefulShutdown> {
    let listener = Accepting::new(listener)?;
    let limits = app.options.limits;
    let places = Arc::new(Semaphore::new(limits.connections));
    let connections = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    // This is also how long an idle connection is kept.
    http.timer(TokioTimer::new()).header_read_timeout(limits.idle_time);
    http.max_buf_size(HEAD).max_headers(FIELDS);
    let service = TowerToHyperService::new(router);
    tokio::pin!(stop);
    loop {
        // With all places taken, connections wait in the system's queue.
        let next = async {
            let place = places.clone().acquire_owned().await;
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            next = next => next,
            () = &mut stop => return Ok(connections),
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(REST).await;
                continue;
            }
        };
        let (service, counted) = (service.clone(), app.metrics.connection());
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(peer.clone());
            service.call(request)
        });
        let connection = http.serve_connection(TokioIo::new(stream), service);
        let connection = connections.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                debug!(%error, "a connection ended early");
            }
            drop((place, counted));
        });
    }
}
