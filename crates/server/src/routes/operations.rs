//! What balancers, orchestrators and Prometheus ask.

use crate::answer;
use crate::app::App;
use crate::failure::Failure;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;
use std::sync::Arc;

/// The routes.
pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/health", get(ready))
        // Amazon's name.
        .route("/ping", get(ready))
        .route("/ready", get(ready))
        .route("/readyz", get(ready))
        .route("/livez", get(live))
        .route("/metrics", get(metrics))
}

/// Whether new requests are served.
async fn ready(State(app): State<Arc<App>>) -> Result<Response, Failure> {
    state(unready(&app).as_deref())
}

/// Why new requests are not served.
pub fn unready(app: &App) -> Option<String> {
    match app.is_closing() {
        true => Some("draining".to_owned()),
        false => app.dispatcher.status().fault,
    }
}

/// Whether the engine works; it does while the server shuts down.
async fn live(State(app): State<Arc<App>>) -> Result<Response, Failure> {
    state(app.dispatcher.status().fault.as_deref())
}

fn state(fault: Option<&str>) -> Result<Response, Failure> {
    let mut response = answer::json(&json!({"status": fault.unwrap_or("ok")}))?;
    if fault.is_some() {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    Ok(response)
}

async fn metrics(State(app): State<Arc<App>>) -> Response {
    let text = app.metrics.write(&app.dispatcher.status());
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}
