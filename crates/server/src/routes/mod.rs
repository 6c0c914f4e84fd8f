//! The routes, a file for each family of clients.

mod embed_all;
mod llama;
mod ollama;
mod openai;
mod openapi;
pub mod operations;
mod root;
pub mod tei;
pub mod tokens;

use crate::app::App;
use crate::engine::Truncate;
use crate::failure::Failure;
use axum::Router;
use std::sync::Arc;

/// All of them.
pub fn all(app: &App) -> Router<Arc<App>> {
    Router::new()
        .merge(openai::routes())
        .merge(tei::routes())
        .merge(embed_all::routes())
        .merge(tokens::routes())
        .merge(ollama::routes())
        .merge(llama::routes())
        .merge(root::routes(app))
        .merge(operations::routes())
        .merge(openapi::routes())
}

/// What is done with long texts, where a request may say whether they are cut.
fn truncate(app: &App, asked: Option<bool>) -> Truncate {
    match (asked, app.options.truncate) {
        (None, default) => default,
        (Some(false), _) => Truncate::None,
        (Some(true), Truncate::None) => Truncate::End,
        (Some(true), default) => default,
    }
}

/// Any name of a model is taken, unless the server is strict.
fn check_model(app: &App, model: Option<&str>) -> Result<(), Failure> {
    match model {
        Some(model) if app.options.strict_model && !app.is_named(model) => {
            Err(Failure::UnknownModel(model.chars().take(100).collect()))
        }
        _ => Ok(()),
    }
}
