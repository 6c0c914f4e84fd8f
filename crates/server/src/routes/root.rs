//! `/`, which is many things to many clients.

use crate::app::App;
use crate::routes::tei;
use axum::Router;
use axum::extract::State;
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::sync::Arc;

/// What the page may load: its own files, and answers of this server.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page's files: path, type and content.
const FILES: [(&str, &str, &str); 2] = [
    ("/page.css", "text/css; charset=utf-8", include_str!("../page/page.css")),
    ("/page.js", "text/javascript; charset=utf-8", include_str!("../page/page.js")),
];

/// The routes: a page or a line for whoever looks, and TEI's `/embed` or `/similarity` for who posts, since Hugging
/// Face's clients know a host's address and no path.
pub fn routes(app: &App) -> Router<Arc<App>> {
    if !app.options.page {
        return Router::new().route("/", get(line).post(tei::embed_or_similarity));
    }
    let router = Router::new().route("/", get(look).post(tei::embed_or_similarity));
    FILES.into_iter().fold(router, |router, (path, kind, content)| {
        router.route(path, get(async move || file(kind, content)))
    })
}

/// The page for browsers, and the line for others.
async fn look(state: State<Arc<App>>, headers: HeaderMap) -> Response {
    let accepted = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    let mut response = match accepted.is_some_and(|accepted| accepted.contains("text/html")) {
        true => file("text/html; charset=utf-8", include_str!("../page/index.html")),
        false => line(state).await.into_response(),
    };
    response.headers_mut().insert(VARY, HeaderValue::from_static("accept"));
    response
}

fn file(kind: &'static str, content: &'static str) -> Response {
    let headers = [
        (CONTENT_TYPE, kind),
        (CONTENT_SECURITY_POLICY, POLICY),
        (CACHE_CONTROL, "no-cache"),
        (HeaderName::from_static("x-content-type-options"), "nosniff"),
        (HeaderName::from_static("referrer-policy"), "no-referrer"),
    ];
    (headers, content).into_response()
}

async fn line(State(app): State<Arc<App>>) -> String {
    let facts = app.facts();
    format!("monomorph {} serves {}: POST /v1/embeddings\n", facts.version, app.name())
}
