//! What all handlers share, and the way of every request through it: who asks, which route, and how the answer leaves.

use crate::access;
use crate::body::discard;
use crate::cache::Cache;
use crate::dispatcher::Dispatcher;
use crate::engine::{Engine, Facts};
use crate::failure::{Failure, Family};
use crate::log::Line;
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
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;
use tower_http::catch_panic::CatchPanicLayer;

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
    /// Whether connections are closed after their answers.
    closing: AtomicBool,
    /// Whether new work is refused.
    draining: AtomicBool,
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
            closing: AtomicBool::new(false),
            draining: AtomicBool::new(false),
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

    /// Connections are closed after their answers from now on.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// Whether the server is shutting down.
    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    /// No new work is let in from now on.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether new work is refused.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// All routes.
    pub fn router(self: Arc<Self>) -> Router {
        let router = routes::all(&self)
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
    Failure::Engine("a bug in this server: a handler panicked".to_owned()).into_response()
}

/// Serves one request: may it be served, what does its route answer, how is that told.
async fn serve(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let family = Family::of(request.uri().path());
    let line = Line::new(&request);
    // A client that leaves takes its handler with it.
    let mut unanswered = Unanswered { app: &app, line: Some(line), begun };
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
    let total = begun.elapsed();
    if let Some(report) = &report {
        report.write(total, response.headers_mut());
        app.metrics.embedded(report, total);
    }
    if app.is_closing() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    let Some(line) = unanswered.line.take() else { return response };
    response.headers_mut().insert(HeaderName::from_static("x-request-id"), line.id.clone());
    app.metrics.answered(&line.route, response.status().as_u16(), total);
    line.write(Some(&response), report.as_ref(), failure.as_ref(), total);
    response
}

/// A request that has no answer yet.
struct Unanswered<'a> {
    app: &'a App,
    line: Option<Line>,
    begun: Instant,
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if let Some(line) = self.line.take() {
            self.app.metrics.dropped();
            line.write(None, None, None, self.begun.elapsed());
        }
    }
}
