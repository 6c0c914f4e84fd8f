//! Ollama's routes.

use crate::answer::{self, Vector};
use crate::app::App;
use crate::body::{Json, Work};
use crate::date::rfc3339;
use crate::dispatcher::Finish;
use crate::embed::Asked;
use crate::failure::Failure;
use crate::inputs::Inputs;
use crate::routes::{check_model, truncate};
use crate::whole::Whole;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Instant;

/// The routes.
pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/api/embed", post(embed))
        .route("/api/embeddings", post(embeddings))
        .route("/api/tags", get(list))
        .route("/api/ps", get(list))
        .route("/api/show", post(show))
        .route("/api/version", get(version))
        .route("/api/generate", post(async || Failure::NotOffered("write text")))
        .route("/api/chat", post(async || Failure::NotOffered("write text")))
}

/// What `/api/embed` takes. `keep_alive` and `options` are accepted and ignored: the model stays.
#[derive(Deserialize)]
struct EmbedRequest {
    model: Option<String>,
    input: Option<Inputs>,
    truncate: Option<bool>,
    dimensions: Option<Whole>,
}

/// Times are in nanoseconds.
#[derive(Serialize)]
struct EmbedAnswer {
    model: String,
    embeddings: Vec<Vector>,
    total_duration: u64,
    load_duration: u64,
    prompt_eval_count: usize,
}

async fn embed(
    State(app): State<Arc<App>>,
    Work(Json { value: request, held }): Work<EmbedRequest>,
) -> Result<Response, Failure> {
    let begun = Instant::now();
    check_model(&app, request.model.as_deref())?;
    // The name that was asked for, and not ours: clients look for it.
    let model = request.model.unwrap_or_else(|| app.name().to_owned());
    let inputs = match request.input {
        Some(Inputs::Texts(texts)) => texts,
        Some(Inputs::Ids(_)) => return Err(Failure::invalid("input", "texts are strings")),
        None => Vec::new(),
    };
    // Clients load a model by asking for nothing.
    if inputs.iter().all(String::is_empty) && inputs.len() < 2 {
        return answer::json(&EmbedAnswer {
            model,
            embeddings: Vec::new(),
            total_duration: begun.elapsed().as_nanos() as u64,
            load_duration: 0,
            prompt_eval_count: 0,
        });
    }
    let all = app.facts().dimensions;
    let dimensions = request.dimensions.and_then(|n| usize::try_from(n.0).ok());
    let dimensions = dimensions.filter(|n| (1..all).contains(n)).unwrap_or(all);
    let asked = Asked {
        inputs: Inputs::Texts(inputs),
        prompt: app.options.prompt.clone(),
        truncate: truncate(&app, request.truncate),
        finish: Finish::Vector { dimensions, normalize: true },
        held: Arc::new(held),
    };
    let embedded = app.embed(asked).await?;
    let answer = EmbedAnswer {
        model,
        embeddings: embedded.vectors.into_iter().map(Vector::Floats).collect(),
        total_duration: begun.elapsed().as_nanos() as u64,
        load_duration: 0,
        prompt_eval_count: embedded.report.tokens,
    };
    answer::vectors(answer, embedded.report).await
}

/// What the older `/api/embeddings` takes.
#[derive(Deserialize)]
struct EmbeddingsRequest {
    model: Option<String>,
    prompt: Option<String>,
}

async fn embeddings(
    State(app): State<Arc<App>>,
    Work(Json { value: request, held }): Work<EmbeddingsRequest>,
) -> Result<Response, Failure> {
    check_model(&app, request.model.as_deref())?;
    let Some(text) = request.prompt.filter(|text| !text.is_empty()) else {
        return answer::json(&json!({"embedding": []}));
    };
    let asked = Asked {
        inputs: Inputs::Texts(vec![text]),
        prompt: app.options.prompt.clone(),
        truncate: app.options.truncate,
        // As Ollama has it here, and not on its other route.
        finish: Finish::Vector { dimensions: app.facts().dimensions, normalize: false },
        held: Arc::new(held),
    };
    let mut embedded = app.embed(asked).await?;
    let vector = embedded.vectors.pop().map(Vector::Floats);
    answer::vectors(json!({"embedding": vector}), embedded.report).await
}

async fn list(State(app): State<Arc<App>>) -> Result<Response, Failure> {
    let facts = app.facts();
    let model = |name: &String| {
        // Ollama's names have a tag.
        let name = if name.contains(':') { name.clone() } else { format!("{name}:latest") };
        json!({
            "name": name,
            "model": name,
            "modified_at": rfc3339(app.options.created),
            "size": facts.bytes,
            "size_vram": 0,
            "expires_at": rfc3339(u64::from(u32::MAX)),
            "digest": facts.fingerprint,
            "details": details(&app),
        })
    };
    let models: Vec<Value> = app.options.names.iter().map(model).collect();
    answer::json(&json!({"models": models}))
}

fn details(app: &App) -> Value {
    let facts = app.facts();
    json!({
        "parent_model": "",
        "format": "gguf",
        "family": facts.architecture,
        "families": [facts.architecture],
        "parameter_size": rounded(facts.parameters),
        "quantization_level": facts.format,
    })
}

/// A number of parameters as Ollama writes it.
fn rounded(parameters: u64) -> String {
    match parameters {
        n if n >= 1_000_000_000 => format!("{:.1}B", n as f64 / 1e9),
        n if n >= 1_000_000 => format!("{:.2}M", n as f64 / 1e6),
        n => format!("{:.2}K", n as f64 / 1e3),
    }
}

#[derive(Deserialize)]
struct ShowRequest {
    model: Option<String>,
    /// An older word for it.
    name: Option<String>,
}

async fn show(
    State(app): State<Arc<App>>,
    Json { value: request, held: _held }: Json<ShowRequest>,
) -> Result<Response, Failure> {
    check_model(&app, request.model.or(request.name).as_deref())?;
    let facts = app.facts();
    let key = |name: &str| format!("{}.{name}", facts.architecture);
    answer::json(&json!({
        "modified_at": rfc3339(app.options.created),
        "details": details(&app),
        "model_info": {
            "general.architecture": facts.architecture,
            "general.parameter_count": facts.parameters,
            (key("embedding_length")): facts.dimensions,
            (key("context_length")): facts.n_ctx,
        },
        "capabilities": ["embedding"],
        "license": facts.license,
    }))
}

async fn version(State(app): State<Arc<App>>) -> Result<Response, Failure> {
    answer::json(&json!({"version": app.facts().version}))
}

#[cfg(test)]
mod tests {
    use super::rounded;

    #[test]
    fn parameters_are_rounded() {
        assert_eq!(rounded(307_581_696), "307.58M");
        assert_eq!(rounded(4_021_774_336), "4.0B");
        assert_eq!(rounded(1234), "1.23K");
    }
}
