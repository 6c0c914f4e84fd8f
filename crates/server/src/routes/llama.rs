//! The route of llama-server that nobody else has.

use crate::answer::{self, Vector};
use crate::app::App;
use crate::body::{Held, Json, Work};
use crate::dispatcher::Finish;
use crate::embed::Asked;
use crate::failure::Failure;
use crate::inputs::Inputs;
use crate::whole::Whole;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The routes.
pub fn routes() -> Router<Arc<App>> {
    Router::new().route("/embedding", post(embedding))
}

/// What a request may say.
#[derive(Deserialize)]
struct EmbeddingRequest {
    content: Option<Inputs>,
    input: Option<Inputs>,
    /// 2 scales vectors to length one, -1 leaves them as they are.
    embd_normalize: Option<Whole>,
}

/// One text's vector, as the only row of a matrix.
#[derive(Serialize)]
struct Item {
    index: usize,
    embedding: [Vector; 1],
}

async fn embedding(
    State(app): State<Arc<App>>,
    Work(Json { value: request, held }): Work<EmbeddingRequest>,
) -> Result<Response, Failure> {
    let inputs = request.content.or(request.input);
    let inputs = inputs.ok_or_else(|| Failure::invalid("content", "it is required"))?;
    embed(&app, inputs, request.embd_normalize, held).await
}

/// Embeds, and answers as llama-server does.
pub async fn embed(
    app: &Arc<App>,
    inputs: Inputs,
    normalize: Option<Whole>,
    held: Held,
) -> Result<Response, Failure> {
    let normalize = match normalize {
        None | Some(Whole(2)) => true,
        Some(Whole(-1)) => false,
        Some(_) => return Err(Failure::invalid("embd_normalize", "it is 2 or -1 here")),
    };
    let asked = Asked {
        inputs,
        prompt: app.options.prompt.clone(),
        truncate: app.options.truncate,
        finish: Finish::Vector { dimensions: app.facts().dimensions, normalize },
        held: Arc::new(held),
    };
    let embedded = app.embed(asked).await?;
    let item = |(index, vector)| Item { index, embedding: [Vector::Floats(vector)] };
    let items: Vec<Item> = embedded.vectors.into_iter().enumerate().map(item).collect();
    answer::vectors(items, embedded.report).await
}
