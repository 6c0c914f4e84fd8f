//! OpenAI's routes.

use crate::answer::{self, Vector};
use crate::app::App;
use crate::body::{Json, Work};
use crate::dispatcher::Finish;
use crate::embed::Asked;
use crate::failure::Failure;
use crate::inputs::Inputs;
use crate::routes::{check_model, llama, truncate};
use crate::whole::Whole;
use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;

/// The routes; those without `/v1` are TEI's and Infinity's names for them.
pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/v1/embeddings", post(embeddings))
        .route("/embeddings", post(embeddings_or_llama))
        .route("/v1/models", get(models))
        .route("/models", get(models))
        .route("/v1/models/{id}", get(model))
        .route("/models/{id}", get(model))
        .route("/v1/completions", post(async || Failure::NotOffered("write text")))
        .route("/v1/chat/completions", post(async || Failure::NotOffered("write text")))
}

/// What a request may say. `user` and all others are ignored.
#[derive(Deserialize)]
struct EmbeddingsRequest {
    input: Option<Inputs>,
    model: Option<String>,
    encoding_format: Option<EncodingFormat>,
    dimensions: Option<Whole>,
    /// Ours: the name of one of the model's prompts.
    prompt_name: Option<String>,
    /// Ours, and what Open WebUI sends: a prefix.
    prompt: Option<String>,
    /// Cohere's name for a prompt.
    input_type: Option<String>,
    /// Ours: whether long texts are cut.
    truncate: Option<bool>,
    /// llama-server's word for `input`, on the route that it shares with others.
    content: Option<Inputs>,
    /// llama-server's.
    embd_normalize: Option<Whole>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum EncodingFormat {
    #[default]
    Float,
    Base64,
}

#[derive(Serialize)]
struct EmbeddingsAnswer {
    object: &'static str,
    data: Vec<Item>,
    model: String,
    usage: Usage,
    /// Ours: the texts that were cut.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    truncated: Vec<Cut>,
}

#[derive(Serialize)]
struct Item {
    object: &'static str,
    index: usize,
    embedding: Vector,
}

#[derive(Serialize)]
struct Usage {
    prompt_tokens: usize,
    total_tokens: usize,
}

#[derive(Serialize)]
struct Cut {
    index: usize,
    dropped: usize,
}

/// At TEI and Infinity, `/embeddings` is OpenAI's route; at llama-server, it is that only where the body has `input`.
async fn embeddings_or_llama(
    state: State<Arc<App>>,
    Work(Json { value: mut request, held }): Work<EmbeddingsRequest>,
) -> Result<Response, Failure> {
    match (request.content.take(), &request.input) {
        (Some(inputs), None) => llama::embed(&state.0, inputs, request.embd_normalize, held).await,
        _ => embeddings(state, Work(Json { value: request, held })).await,
    }
}

async fn embeddings(
    State(app): State<Arc<App>>,
    Work(Json { value: request, held }): Work<EmbeddingsRequest>,
) -> Result<Response, Failure> {
    check_model(&app, request.model.as_deref())?;
    let inputs = request.input.ok_or_else(|| Failure::invalid("input", "it is required"))?;
    if matches!(inputs, Inputs::Ids(_)) && !app.options.token_ids {
        return Err(Failure::TokenIds);
    }
    let name = match (request.prompt_name.as_deref(), request.input_type.as_deref()) {
        (Some(_), Some(_)) => {
            let reason = "a request has either an input_type or a prompt_name";
            return Err(Failure::invalid("input_type", reason));
        }
        (name, input_type) => name.or(input_type.map(prompt_of)),
    };
    let finish =
        Finish::Vector { dimensions: app.dimensions(request.dimensions)?, normalize: true };
    let asked = Asked {
        inputs,
        prompt: app.prompt(name, request.prompt)?,
        truncate: truncate(&app, request.truncate),
        finish,
        held: Arc::new(held),
    };
    let embedded = app.embed(asked).await?;
    let form = match request.encoding_format.unwrap_or_default() {
        EncodingFormat::Float => Vector::Floats,
        EncodingFormat::Base64 => Vector::Base64,
    };
    let item = |(index, vector)| Item { object: "embedding", index, embedding: form(vector) };
    let tokens = embedded.report.tokens;
    let answer = EmbeddingsAnswer {
        object: "list",
        data: embedded.vectors.into_iter().enumerate().map(item).collect(),
        model: app.name().to_owned(),
        usage: Usage { prompt_tokens: tokens, total_tokens: tokens },
        truncated: embedded
            .cuts
            .into_iter()
            .map(|(index, dropped)| Cut { index, dropped })
            .collect(),
    };
    answer::vectors(answer, embedded.report).await
}

/// Our name for Cohere's.
fn prompt_of(input_type: &str) -> &str {
    match input_type {
        "search_query" => "query",
        "search_document" => "document",
        other => other,
    }
}

async fn models(State(app): State<Arc<App>>) -> Result<Response, Failure> {
    let data: Vec<Value> = app.options.names.iter().map(|name| entry(&app, name)).collect();
    answer::json(&json!({"object": "list", "data": data}))
}

async fn model(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<Response, Failure> {
    match app.options.names.contains(&id) {
        true => answer::json(&entry(&app, &id)),
        false => Err(Failure::UnknownModel(id.chars().take(100).collect())),
    }
}

fn entry(app: &App, name: &str) -> Value {
    json!({"id": name, "object": "model", "created": app.options.created, "owned_by": "monomorph"})
}
