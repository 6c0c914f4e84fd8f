//! `/`, which is many things to many clients.

use crate::app::App;
use crate::routes::tei;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use std::sync::Arc;

/// The route: a line for whoever looks, and TEI's `/embed` or `/similarity` for who posts, since Hugging Face's clients
/// know a host's address and no path.
pub fn routes() -> Router<Arc<App>> {
    Router::new().route("/", get(line).post(tei::embed))
}

async fn line(State(app): State<Arc<App>>) -> String {
    let facts = app.facts();
    format!("monomorph {} serves {}: POST /v1/embeddings\n", facts.version, app.name())
}
