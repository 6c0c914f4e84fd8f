//! A server's life: it listens, serves, and shuts down without losing what it took on.

use crate::address::{Address, Inherited, Listener};
use crate::app::{App, Stage};
use crate::cache::Cache;
use crate::dispatcher::{Clock, Dispatcher, Settings};
use crate::engine::Engine;
use crate::listen;
use crate::metrics::Metrics;
use crate::options::Options;
use sd_notify::NotifyState;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tracing::{info, warn};

/// One thread serves the connections of so many of the engine's: a second one costs more than it helps.
const THREADS_PER_WORKER: usize = 16;
/// What clients sent before they could know of a shutdown arrives within this time, and is served.
const GRACE: Duration = Duration::from_millis(50);
/// How long threads that encode texts may take to notice that nobody waits for them.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// A server that listens.
pub struct Server {
    listener: Listener,
    address: Address,
    app: Arc<App>,
    engine: JoinHandle<()>,
    runtime: Runtime,
    stop: Stop,
    phase: watch::Receiver<Phase>,
}

/// Ends a server, from any thread.
#[derive(Clone)]
pub struct Stop(Arc<watch::Sender<Phase>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
enum Phase {
    Serve,
    Drain,
    End,
}

/// How a server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Every request that it took on was answered.
    Drained,
    /// Some were cut off.
    CutOff,
}

impl Stop {
    /// Nothing new is accepted, and the server ends when all requests under way are answered.
    pub fn drain(&self) {
        self.at_least(Phase::Drain);
    }

    /// The server ends at once.
    pub fn end(&self) {
        self.at_least(Phase::End);
    }

    fn at_least(&self, phase: Phase) {
        self.0.send_if_modified(|now| {
            let later = *now < phase;
            if later {
                *now = phase;
            }
            later
        });
    }
}

impl Server {
    /// Listens, and starts the engine's thread. Requests are served once it [runs](Server::run).
    ///
    /// # Errors
    /// If the address cannot be listened at, or threads cannot be started.
    pub fn bind(engine: Arc<dyn Engine>, options: Options) -> io::Result<Server> {
        Server::with_clock(engine, options, Arc::new(Instant::now))
    }

    /// The same, at a socket that is open already, instead of the address of the options.
    ///
    /// # Errors
    /// If threads cannot be started.
    pub fn at(
        inherited: Inherited,
        engine: Arc<dyn Engine>,
        options: Options,
    ) -> io::Result<Server> {
        let Inherited { listener, address } = inherited;
        Server::start((listener, address), engine, options, Arc::new(Instant::now))
    }

    /// The same, with a clock that passes are timed by.
    pub(crate) fn with_clock(
        engine: Arc<dyn Engine>,
        options: Options,
        clock: Clock,
    ) -> io::Result<Server> {
        Server::start(options.address.listen()?, engine, options, clock)
    }

    fn start(
        (listener, address): (Listener, Address),
        engine: Arc<dyn Engine>,
        options: Options,
        clock: Clock,
    ) -> io::Result<Server> {
        let facts = engine.facts();
        let threads = facts.threads.max(1);
        let metrics = Arc::new(Metrics::new(facts).map_err(io::Error::other)?);
        let limits = options.limits;
        let cache = (limits.cache > 0).then(|| Arc::new(Cache::new(limits.cache, metrics.clone())));
        let settings =
            Settings { pass: limits.pass, max_wait: limits.wait, timeout: limits.timeout };
        let runtime = Builder::new_multi_thread()
            .worker_threads(1 + threads / THREADS_PER_WORKER)
            .max_blocking_threads(threads)
            .thread_name("server")
            .enable_all()
            .build()?;
        let (dispatcher, thread) =
            Dispatcher::start(engine.clone(), settings, metrics.clone(), cache.clone(), clock)?;
        let is_loopback = address.is_loopback();
        let app = Arc::new(App::new(engine, dispatcher, metrics, cache, options, is_loopback));
        let (sender, phase) = watch::channel(Phase::Serve);
        let stop = Stop(Arc::new(sender));
        Ok(Server { listener, address, app, engine: thread, runtime, stop, phase })
    }

    /// Where it listens.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// What ends it.
    pub fn stop(&self) -> Stop {
        self.stop.clone()
    }

    /// Drains on SIGTERM and on SIGINT, and ends at once on the second of them; calls `hangup` on SIGHUP.
    ///
    /// # Errors
    /// If the system has no such signals.
    #[cfg(unix)]
    pub fn obey_signals(&self, hangup: Box<dyn Fn() + Send>) -> io::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};
        let _entered = self.runtime.enter();
        let (mut terminate, mut interrupt, mut hung_up) = (
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
            signal(SignalKind::hangup())?,
        );
        let stop = self.stop();
        self.runtime.spawn(async move {
            let mut received = 0;
            loop {
                tokio::select! {
                    _ = terminate.recv() => received += 1,
                    _ = interrupt.recv() => received += 1,
                    _ = hung_up.recv() => hangup(),
                }
                match received {
                    0 => {}
                    1 => stop.drain(),
                    _ => stop.end(),
                }
            }
        });
        Ok(())
    }

    /// Serves until it is stopped.
    ///
    /// # Errors
    /// If connections cannot be accepted at all.
    pub fn run(self) -> io::Result<Ending> {
        let Server { listener, address, app, engine, runtime, phase, .. } = self;
        let (facts, limits) = (app.facts(), app.options.limits);
        info!(
            %address,
            model = app.name(),
            dimensions = facts.dimensions,
            context = facts.n_ctx,
            isa = facts.isa,
            path = facts.path,
            threads = facts.threads,
            kept_mib = facts.kept_bytes >> 20,
            max_batch = limits.batch,
            max_request_tokens = limits.request_tokens,
            max_body = limits.body,
            max_wait_s = limits.wait.as_secs(),
            timeout_s = limits.timeout.as_secs(),
            keys = !app.options.keys.is_empty(),
            grpc = cfg!(feature = "grpc"),
            "listening"
        );
        tell_systemd(NotifyState::Ready);
        let router = app.clone().router();
        let ending = runtime.block_on(serve(listener, router, &app, phase));
        // Ends what still runs of requests that were cut off: their tickets go with their connections.
        runtime.shutdown_timeout(LAST_WAIT);
        app.dispatcher.close();
        let _ = engine.join();
        ending
    }
}

/// Tells whoever started the process, if it asked to be told.
fn tell_systemd(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        warn!(%error, "systemd could not be told");
    }
}

async fn serve(
    listener: Listener,
    router: axum::Router,
    app: &Arc<App>,
    mut phase: watch::Receiver<Phase>,
) -> io::Result<Ending> {
    let mut draining = phase.clone();
    let stop = async {
        let _ = draining.wait_for(|phase| *phase >= Phase::Drain).await;
        app.enter(Stage::Closing);
        tell_systemd(NotifyState::Stopping);
    };
    let connections = listen::accept(listener, router, app, stop).await?;
    tokio::time::sleep(GRACE).await;
    app.enter(Stage::Draining);
    let drain = app.options.limits.drain;
    info!(connections = connections.count(), seconds = drain.as_secs_f64(), "draining");
    let ended = async {
        let _ = phase.wait_for(|phase| *phase == Phase::End).await;
    };
    let ending = tokio::select! {
        () = connections.shutdown() => Ending::Drained,
        () = tokio::time::sleep(drain) => Ending::CutOff,
        () = ended => Ending::CutOff,
    };
    match ending {
        Ending::Drained => info!("drained"),
        Ending::CutOff => warn!("requests under way were cut off"),
    }
    Ok(ending)
}
