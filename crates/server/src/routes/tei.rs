//! The routes of Text Embeddings Inference, but for `/embed_all` and for `/tokenize`, which
//! llama-server has too (`tokens`).

use crate::answer::{self, Vector};
use crate::app::App;
use crate::body::{Json, Work};
use crate::dispatcher::Finish;
use crate::embed::{Asked, Embedded};
use crate::engine::Truncate;
use crate::failure::Failure;
use crate::inputs::{Inputs, InputsVisitor};
use crate::routes::truncate;
use crate::whole::Whole;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::json;
use std::fmt;
use std::sync::Arc;

/// The routes; `/invocations` is Amazon's name for two of them, as `/` is Hugging Face's (`root`).
pub fn routes() -> Router<Arc<App>> {
    let router = Router::new()
        .route("/embed", post(embed))
        .route("/similarity", post(similarity))
        .route("/invocations", post(embed_or_similarity))
        .route("/info", get(info));
    let refused = [
        ("/embed_sparse", "make sparse vectors"),
        ("/rerank", "rank texts; /similarity compares them"),
        ("/predict", "classify texts"),
        ("/generate", "write text"),
        ("/generate_stream", "write text"),
    ];
    refused.into_iter().fold(router, |router, (path, what)| {
        router.route(path, post(async move || Failure::NotOffered(what)))
    })
}

/// What `/embed` and `/similarity` take. Clients of a host have one address for both, and the shape of `inputs` says
/// which of them is meant.
#[derive(Deserialize)]
pub struct EmbedRequest {
    inputs: Option<EmbedInputs>,
    truncate: Option<bool>,
    truncation_direction: Option<String>,
    prompt_name: Option<String>,
    normalize: Option<bool>,
    dimensions: Option<Whole>,
    /// The options of `/similarity`.
    parameters: Option<Parameters>,
}

#[derive(Default, Deserialize)]
struct Parameters {
    truncate: Option<bool>,
    truncation_direction: Option<String>,
    prompt_name: Option<String>,
    /// Ours: the source is a query, and the sentences are documents.
    retrieval: Option<bool>,
}

enum EmbedInputs {
    Texts(Inputs),
    Pairs(Pairs),
}

/// A sentence, and those that it is compared with.
#[derive(Deserialize)]
struct Pairs {
    source_sentence: String,
    sentences: Inputs,
}

impl<'de> Deserialize<'de> for EmbedInputs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<EmbedInputs, D::Error> {
        deserializer.deserialize_any(EmbedInputsVisitor)
    }
}

struct EmbedInputsVisitor;

impl<'de> Visitor<'de> for EmbedInputsVisitor {
    type Value = EmbedInputs;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        InputsVisitor.expecting(f)?;
        f.write_str("; or an object with a source_sentence and sentences")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<EmbedInputs, E> {
        InputsVisitor.visit_str(text).map(EmbedInputs::Texts)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<EmbedInputs, A::Error> {
        InputsVisitor.visit_seq(items).map(EmbedInputs::Texts)
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<EmbedInputs, A::Error> {
        Pairs::deserialize(MapAccessDeserializer::new(fields)).map(EmbedInputs::Pairs)
    }
}

/// `/embed` or `/similarity`, whichever the body is for.
pub async fn embed_or_similarity(
    state: State<Arc<App>>,
    body: Work<EmbedRequest>,
) -> Result<Response, Failure> {
    match &body.0.value.inputs {
        Some(EmbedInputs::Pairs(_)) => similarity(state, body).await,
        _ => embed(state, body).await,
    }
}

async fn embed(
    State(app): State<Arc<App>>,
    Work(Json { value: request, held }): Work<EmbedRequest>,
) -> Result<Response, Failure> {
    let inputs = match request.inputs {
        Some(EmbedInputs::Texts(inputs)) => inputs,
        Some(EmbedInputs::Pairs(_)) => {
            return Err(Failure::invalid(
                "inputs",
                "texts are strings; /similarity compares pairs",
            ));
        }
        None => return Err(Failure::invalid("inputs", "it is required")),
    };
    let finish = Finish::Vector {
        dimensions: app.dimensions(request.dimensions)?,
        normalize: request.normalize.unwrap_or(true),
    };
    let asked = Asked {
        inputs,
        prompt: app.prompt(request.prompt_name.as_deref(), None)?,
        truncate: cut(&app, request.truncate, request.truncation_direction.as_deref())?,
        finish,
        held: Arc::new(held),
    };
    let embedded = app.embed(asked).await?;
    let vectors: Vec<Vector> = embedded.vectors.into_iter().map(Vector::Floats).collect();
    answer::vectors(vectors, embedded.report).await
}

async fn similarity(
    State(app): State<Arc<App>>,
    Work(Json { value: request, held }): Work<EmbedRequest>,
) -> Result<Response, Failure> {
    let Some(EmbedInputs::Pairs(pairs)) = request.inputs else {
        let reason = "an object with a source_sentence and sentences is required";
        return Err(Failure::invalid("inputs", reason));
    };
    let parameters = request.parameters.unwrap_or_default();
    let Inputs::Texts(sentences) = pairs.sentences else {
        return Err(Failure::invalid("inputs", "sentences are strings"));
    };
    if sentences.is_empty() {
        return Err(Failure::NoTexts);
    }
    let truncate = cut(&app, parameters.truncate, parameters.truncation_direction.as_deref())?;
    let is_retrieval = parameters.retrieval.unwrap_or_default();
    let name = parameters.prompt_name.as_deref();
    if is_retrieval && name.is_some() {
        return Err(Failure::invalid("parameters", "retrieval has prompts of its own"));
    }
    let role = |role| if is_retrieval { Some(role) } else { name };
    let (query, document) = (app.prompt(role("query"), None)?, app.prompt(role("document"), None)?);
    let finish = Finish::Vector { dimensions: app.facts().dimensions, normalize: true };
    let held = Arc::new(held);
    let asked = |texts, prompt| Asked {
        inputs: Inputs::Texts(texts),
        prompt,
        truncate,
        finish,
        held: held.clone(),
    };
    let (source, others) = tokio::try_join!(
        app.embed(asked(vec![pairs.source_sentence], query)),
        app.embed(asked(sentences, document)),
    )?;
    let Embedded { vectors, report, .. } = others;
    let source_vector = &source.vectors[0];
    let scores: Vec<f32> =
        vectors.iter().map(|vector| app.engine.cosine(source_vector, vector)).collect();
    answer::vectors(scores, source.report.with(report)).await
}

/// What is done with long texts, where a request may also say which end is cut.
pub fn cut(app: &App, asked: Option<bool>, direction: Option<&str>) -> Result<Truncate, Failure> {
    let truncate = truncate(app, asked);
    let direction = direction.map(str::to_lowercase);
    match (direction.as_deref(), truncate) {
        (None, truncate) | (Some("left" | "right"), truncate @ Truncate::None) => Ok(truncate),
        (Some("right"), _) => Ok(Truncate::End),
        (Some("left"), _) => Ok(Truncate::Start),
        (Some(_), _) => Err(Failure::invalid("truncation_direction", "it is Left or Right")),
    }
}

async fn info(State(app): State<Arc<App>>) -> Result<Response, Failure> {
    let (facts, limits) = (app.facts(), app.options.limits);
    let prompts: serde_json::Map<_, _> = facts
        .prompts
        .iter()
        .map(|prompt| (prompt.name.clone(), prompt.prefix.clone().into()))
        .collect();
    answer::json(&json!({
        "model_id": app.name(),
        "model_sha": facts.fingerprint,
        "model_dtype": facts.format,
        "served_model_name": app.name(),
        "model_type": {"embedding": {"pooling": facts.pooling}},
        "max_concurrent_requests": limits.connections,
        "max_input_length": facts.n_ctx,
        "max_batch_tokens": app.most_pass_tokens(),
        "max_batch_requests": null,
        "max_client_batch_size": limits.batch,
        "auto_truncate": app.options.truncate != Truncate::None,
        "tokenization_workers": facts.threads,
        "version": facts.version,
        "sha": null,
        "docker_label": null,
        // Ours.
        "dimensions": facts.dimensions,
        "prompts": prompts,
        "isa": facts.isa,
        "threads": facts.threads,
        "fingerprint": facts.fingerprint,
    }))
}
