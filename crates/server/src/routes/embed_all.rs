//! TEI's `/embed_all`: a row for each token, before they become one vector.

use super::tei::cut;
use crate::answer;
use crate::app::App;
use crate::body::{Json, Work};
use crate::dispatcher::Finish;
use crate::embed::Asked;
use crate::failure::Failure;
use crate::inputs::Inputs;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use serde::{Deserialize, Serialize, Serializer};
use std::sync::Arc;

/// The route.
pub fn routes() -> Router<Arc<App>> {
    Router::new().route("/embed_all", post(embed_all))
}

/// What a request may say.
#[derive(Deserialize)]
struct EmbedAllRequest {
    inputs: Option<Inputs>,
    truncate: Option<bool>,
    truncation_direction: Option<String>,
    prompt_name: Option<String>,
}

/// The rows of a text's tokens.
struct Rows {
    values: Vec<f32>,
    width: usize,
}

impl Serialize for Rows {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.values.chunks_exact(self.width))
    }
}

async fn embed_all(
    State(app): State<Arc<App>>,
    Work(Json { value: request, held }): Work<EmbedAllRequest>,
) -> Result<Response, Failure> {
    let asked = Asked {
        inputs: request.inputs.ok_or_else(|| Failure::invalid("inputs", "it is required"))?,
        prompt: app.prompt(request.prompt_name.as_deref(), None)?,
        truncate: cut(&app, request.truncate, request.truncation_direction.as_deref())?,
        finish: Finish::Tokens,
        held: Arc::new(held),
    };
    let embedded = app.embed(asked).await?;
    let width = app.facts().n_embd;
    let rows = |values| Rows { values, width };
    let texts: Vec<Rows> = embedded.vectors.into_iter().map(rows).collect();
    answer::rows(texts, embedded.report).await
}
