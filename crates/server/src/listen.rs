//! How connections are accepted and served.

use crate::address::Listener;
use crate::app::App;
use crate::process;
use crate::socket::{Activity, Socket};
use axum::Router;
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use std::io;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, watch};
use tracing::{debug, warn};

/// Bytes of a request's head.
const HEAD: usize = 32 << 10;
/// Fields of a request's head.
const FIELDS: usize = 100;
/// Descriptors that are needed for others than connections.
const SPARE: usize = 32;
/// How long accepting rests when the system has no more descriptors.
const REST: Duration = Duration::from_millis(50);

/// The other end of a connection.
#[derive(Clone, Debug)]
pub struct Peer(pub String);

/// The listener, once a runtime is there.
enum Accepting {
    Tcp(tokio::net::TcpListener),
    /// With the path that goes away with the server.
    #[cfg(unix)]
    Unix(tokio::net::UnixListener, Option<PathBuf>),
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
        if let Accepting::Unix(_, Some(path)) = self {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// How many connections there may be: as many as are allowed, or as there are descriptors for.
fn places(allowed: usize) -> usize {
    let most = process::most_descriptors().map_or(usize::MAX, |most| most.saturating_sub(SPARE));
    if most < allowed {
        warn!(
            connections = most,
            allowed, "the system gives this process too few descriptors (ulimit -n)"
        );
    }
    allowed.min(most.max(1))
}

/// The protocol: HTTP/1.1.
#[cfg(not(feature = "grpc"))]
fn protocol() -> hyper::server::conn::http1::Builder {
    let mut http = hyper::server::conn::http1::Builder::new();
    // The socket has the times.
    http.header_read_timeout(None);
    http.max_buf_size(HEAD).max_headers(FIELDS);
    http
}

/// The protocol: HTTP/1.1, or HTTP/2 where a client begins with its preface.
#[cfg(feature = "grpc")]
fn protocol() -> hyper_util::server::conn::auto::Builder<crate::grpc::delivery::Executor> {
    /// Requests of a connection at once.
    const STREAMS: u32 = 128;
    /// Bytes of a request that a client may send before they are read.
    const STREAM_WINDOW: u32 = 64 << 10;
    /// The same of a connection: requests that are not read leave room for all others.
    const CONNECTION_WINDOW: u32 = STREAMS * STREAM_WINDOW;
    /// How often a silent client is asked whether it is still there, and how long it may take to answer.
    const PING: Duration = Duration::from_secs(20);
    let mut http = hyper_util::server::conn::auto::Builder::new(crate::grpc::delivery::Executor);
    http.http1().header_read_timeout(None).max_buf_size(HEAD).max_headers(FIELDS);
    http.http2()
        .timer(hyper_util::rt::TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(HEAD as u32)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING);
    http
}

/// Connections that are open.
pub struct Connections(watch::Sender<()>);

impl Connections {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.receiver_count()
    }

    /// Has each end with the answers that it is to bring, and waits for that.
    pub async fn shutdown(self) {
        self.0.send_replace(());
        self.0.closed().await;
    }
}

/// Accepts connections until `stop` is done, and serves them. What is returned waits for those that are still open.
pub async fn accept(
    listener: Listener,
    router: Router,
    app: &Arc<App>,
    stop: impl Future<Output = ()>,
) -> io::Result<Connections> {
    let listener = Accepting::new(listener)?;
    let limits = app.options.limits;
    let places = Arc::new(Semaphore::new(places(limits.connections)));
    let connections = Connections(watch::Sender::new(()));
    let http = protocol();
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
        let activity = Arc::new(Activity::default());
        let socket = Socket::new(stream, limits, activity.clone());
        let (resting, mut draining) = (activity.clone(), connections.0.subscribe());
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(peer.clone());
            let in_hand = activity.begin();
            // gRPC keeps this copy until its answer has ended.
            request.extensions_mut().insert(in_hand.clone());
            let answer = service.call(request);
            async move {
                let answer = answer.await;
                drop(in_hand);
                answer
            }
        });
        let connection = http.serve_connection(TokioIo::new(socket), service);
        #[cfg(feature = "grpc")]
        let connection = connection.into_owned();
        tokio::spawn(async move {
            let mut connection = pin!(connection);
            let ended = tokio::select! {
                ended = connection.as_mut() => Some(ended),
                _ = draining.changed() => None,
                () = resting.rests() => None,
            };
            let ended = match ended {
                Some(ended) => ended,
                None => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = ended {
                debug!(%error, "a connection ended early");
            }
            drop((place, counted, draining));
        });
    }
}
