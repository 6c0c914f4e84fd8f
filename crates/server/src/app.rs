//! What all handlers share, and the way of every request through it: who asks, which route, and how the answer leaves.

use crate::access;
use crate::body::discard;
use crate::cache::Cache;
use crate::dispatcher::Dispatcher;
use crate::engine::{Engine, Facts};
use crate::failure::{Failure, Family};
use crate::log::{Line, Sent};
use crate::metrics::Metrics;
use crate::options::Options;
use crate::report::Report;
use crate::routes;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::CONNECTION;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Instant;
use tokio::sync::watch;
use tower_http::catch_panic::CatchPanicLayer;

/// The header with a request's id.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What all handlers share.
pub struct App {
    pub engine: Arc<dyn Engine>,
    pub dispatcher: Arc<Dispatcher>,
    pub metrics: Arc<Metrics>,
    /// What texts became before; none if nothing is kept.
    pub cache: Option<Arc<Cache>>,
    pub options: Options,
    /// Whether only this machine can reach the server, by a name that a page could forge.
    pub on_loopback: bool,
    /// Bytes of the bodies under way.
    pub held: Arc<AtomicUsize>,
    stage: watch::Sender<Stage>,
}

/// How far shutdown has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub enum Stage {
    /// Requests are served.
    Open,
    /// Connections are closed after their answers.
    Closing,
    /// New work is refused.
    Draining,
}

impl App {
    pub fn new(
        engine: Arc<dyn Engine>,
        dispatcher: Arc<Dispatcher>,
        metrics: Arc<Metrics>,
        cache: Option<Arc<Cache>>,
        options: Options,
        on_loopback: bool,
    ) -> App {
        App {
            engine,
            dispatcher,
            metrics,
            cache,
            options,
            on_loopback,
            held: Arc::default(),
            stage: watch::Sender::new(Stage::Open),
        }
    }

    /// What the model is.
    pub fn facts(&self) -> &Facts {
        self.engine.facts()
    }

    /// The model's canonical name.
    pub fn name(&self) -> &str {
        self.options.names.first().map_or("", String::as_str)
    }

    /// Whether this is one of the model's names; Ollama's clients add a tag.
    pub fn is_named(&self, name: &str) -> bool {
        let untagged = name.strip_suffix(":latest").unwrap_or(name);
        self.options.names.iter().any(|own| own == name || own == untagged)
    }

    /// Moves to this stage.
    pub fn enter(&self, stage: Stage) {
        self.stage.send_replace(stage);
    }

    /// Whether the server is shutting down.
    pub fn is_closing(&self) -> bool {
        *self.stage.borrow() >= Stage::Closing
    }

    /// Whether new work is refused.
    pub fn is_draining(&self) -> bool {
        *self.stage.borrow() >= Stage::Draining
    }

    /// Waits until the server is at this stage.
    #[cfg(feature = "grpc")]
    pub async fn reaches(&self, stage: Stage) {
        // The sender lives as long as this.
        let _ = self.stage.subscribe().wait_for(|now| *now >= stage).await;
    }

    /// The most tokens of a pass, as told to clients: the larger budget, or one text that fills the context.
    pub fn most_pass_tokens(&self) -> usize {
        self.dispatcher.status().budget.large.max(self.facts().n_ctx)
    }

    /// All routes.
    pub fn router(self: Arc<Self>) -> Router {
        let routes = routes::all(&self);
        #[cfg(feature = "grpc")]
        let routes = routes.merge(crate::grpc::routes(&self));
        let router = routes
            .fallback(async |request: Request| {
                let (method, path) = words(&request);
                discard(request).await;
                Failure::NoRoute { method, path }
            })
            .method_not_allowed_fallback(async |request: Request| {
                let (method, path) = words(&request);
                discard(request).await;
                Failure::Method { method, path }
            })
            .layer(CatchPanicLayer::custom(panicked))
            .layer(from_fn_with_state(self.clone(), serve));
        let origins = &self.options.cors_origins;
        let router = match origins.is_empty() {
            true => router,
            false => router.layer(access::cors(origins)),
        };
        router.with_state(self)
    }
}

/// Method and path, for a message; what a client sends may be long.
fn words(request: &Request) -> (String, String) {
    let cut = |word: &str| word.chars().take(100).collect();
    (cut(request.method().as_str()), cut(request.uri().path()))
}

fn panicked(_: Box<dyn Any + Send>) -> Response {
    Failure::panicked().into_response()
}

/// Serves one request: may it be served, what does its route answer, how is that told.
async fn serve(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    #[cfg(feature = "grpc")]
    if crate::grpc::is_grpc(&request) {
        return crate::grpc::serve(app, request, next).await;
    }
    #[cfg(feature = "grpc")]
    let version = request.version();
    let family = Family::of(request.uri().path());
    let unanswered = Unanswered::new(&app, &request);
    let admitted = access::check(&app, &request);
    let mut response = match admitted {
        Ok(()) => next.run(request).await,
        Err(failure) => {
            discard(request).await;
            failure.into_response()
        }
    };
    let failure = response.extensions_mut().remove::<Failure>();
    if let Some(failure) = &failure {
        // What axum added, such as which methods a route takes, stays.
        let headers = std::mem::take(response.headers_mut());
        response = failure.render(family);
        for (name, value) in &headers {
            if !response.headers().contains_key(name) && name != "content-length" {
                response.headers_mut().insert(name, value.clone());
            }
        }
        app.metrics.failed(failure);
    }
    let report = response.extensions_mut().remove::<Report>();
    let total = unanswered.begun.elapsed();
    if let Some(report) = &report {
        report.write(total, response.headers_mut());
        app.metrics.embedded(report, total);
    }
    if app.is_closing() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response.headers_mut().insert(REQUEST_ID, unanswered.id());
    let sent = Sent::from(&response);
    unanswered.answered(response.status().as_str(), sent, report.as_ref(), failure.as_ref());
    #[cfg(feature = "grpc")]
    if version == axum::http::Version::HTTP_2 {
        return crate::grpc::delivery::delivered(response, app.options.limits.write_time);
    }
    response
}

/// A request that has no answer yet. If it is dropped so, the client has left.
pub struct Unanswered {
    app: Arc<App>,
    line: Option<Line>,
    pub begun: Instant,
}

impl Unanswered {
    pub fn new(app: &Arc<App>, request: &Request) -> Unanswered {
        Unanswered { app: app.clone(), line: Some(Line::new(request)), begun: Instant::now() }
    }

    /// The request's id.
    pub fn id(&self) -> HeaderValue {
        self.line.as_ref().map_or(HeaderValue::from_static("none"), |line| line.id.clone())
    }

    /// The answer has left, with this status.
    pub fn answered(
        mut self,
        status: &str,
        sent: Sent,
        report: Option<&Report>,
        failure: Option<&Failure>,
    ) {
        let Some(line) = self.line.take() else { return };
        let total = self.begun.elapsed();
        self.app.metrics.answered(&line.route, status, total);
        line.write(Some(sent), report, failure, total);
    }
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        if let Some(line) = self.line.take() {
            self.app.metrics.dropped();
            line.write(None, None, None, self.begun.elapsed());
        }
    }
}
