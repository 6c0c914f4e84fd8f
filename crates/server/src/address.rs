//! Where the server listens: an address of its own, or a socket that whoever started it has opened.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::path::PathBuf;

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

/// A socket that was open when the process was started, as systemd opens them.
pub struct Inherited {
    pub(crate) listener: Listener,
    pub(crate) address: Address,
}

/// A socket that listens.
pub enum Listener {
    Tcp(TcpListener),
    /// With the path to be removed in the end.
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixListener, Option<PathBuf>),
}

impl Address {
    /// Listens there. Returns where that is, with the port that was taken.
    pub fn listen(&self) -> io::Result<(Listener, Address)> {
        match self {
            Address::Tcp { host, port } => {
                let addresses: Vec<SocketAddr> =
                    (host.as_str(), *port).to_socket_addrs()?.collect();
                let listener = TcpListener::bind(&addresses[..])?;
                Listener::tcp(listener)
            }
            #[cfg(unix)]
            Address::Unix(path) => {
                let listener = unix::listen(path)?;
                Ok((Listener::Unix(listener, Some(path.clone())), self.clone()))
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
}

impl Listener {
    fn tcp(listener: TcpListener) -> io::Result<(Listener, Address)> {
        listener.set_nonblocking(true)?;
        let local = listener.local_addr()?;
        let address = Address::Tcp { host: local.ip().to_string(), port: local.port() };
        Ok((Listener::Tcp(listener), address))
    }
}

impl Inherited {
    /// The socket that this process was given (`LISTEN_FDS`); none if it was given none.
    ///
    /// # Errors
    /// If it was given several, or one that connections cannot be accepted from.
    pub fn take() -> io::Result<Option<Inherited>> {
        let mut sockets = listenfd::ListenFd::from_env();
        match sockets.len() {
            0 => return Ok(None),
            1 => {}
            n => {
                return Err(io::Error::other(format!("{n} sockets were given, but one is served")));
            }
        }
        #[cfg(unix)]
        if let Ok(Some(listener)) = sockets.take_unix_listener(0) {
            listener.set_nonblocking(true)?;
            let path = listener.local_addr()?.as_pathname().map(PathBuf::from);
            let address = Address::Unix(path.unwrap_or_default());
            // Whoever opened it listens on.
            return Ok(Some(Inherited { listener: Listener::Unix(listener, None), address }));
        }
        let listener = sockets.take_tcp_listener(0)?;
        let listener = listener.ok_or_else(|| io::Error::other("the socket was taken already"))?;
        let (listener, address) = Listener::tcp(listener)?;
        Ok(Some(Inherited { listener, address }))
    }

    /// Where it listens.
    pub fn address(&self) -> &Address {
        &self.address
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
