//! Texts to vectors, and to rows of tokens.

use super::body::Call;
use super::stream::{Answers, answers};
use super::tei::embed_server::Embed;
use super::tei::{
    EmbedAllRequest, EmbedAllResponse, EmbedRequest, EmbedResponse, Metadata, TokenEmbedding,
    TruncationDirection,
};
use crate::answer::{MOST_INLINE, blocking};
use crate::app::App;
use crate::body::Held;
use crate::dispatcher::Finish;
use crate::embed::{Asked, Embedded, estimate};
use crate::engine::Truncate;
use crate::failure::Failure;
use crate::inputs::Inputs;
use crate::report::Report;
use crate::routes::tei::cut;
use crate::whole::Whole;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tonic::{Request, Response, Status, Streaming};

/// The service.
pub struct Service(pub Arc<App>);

/// What to do when the queue is too long.
#[derive(Clone, Copy)]
enum Load {
    Refuse,
    Wait,
}

#[tonic::async_trait]
impl Embed for Service {
    async fn embed(
        &self,
        request: Request<EmbedRequest>,
    ) -> Result<Response<EmbedResponse>, Status> {
        let call = Call::of(&self.0, &request)?;
        let held = call.take();
        Ok(Response::new(embed(call, request.into_inner(), held, Load::Refuse).await?))
    }

    type EmbedStreamStream = Answers<EmbedResponse>;

    async fn embed_stream(
        &self,
        request: Request<Streaming<EmbedRequest>>,
    ) -> Result<Response<Self::EmbedStreamStream>, Status> {
        let call = Call::of(&self.0, &request)?;
        let answer = |call, request, held| embed(call, request, held, Load::Wait);
        let app = self.0.clone();
        let weigh = move |request: &EmbedRequest| {
            weigh(&app, &request.inputs, request.prompt_name.as_deref())
        };
        Ok(Response::new(answers(call, request.into_inner(), weigh, answer)))
    }

    async fn embed_all(
        &self,
        request: Request<EmbedAllRequest>,
    ) -> Result<Response<EmbedAllResponse>, Status> {
        let call = Call::of(&self.0, &request)?;
        let held = call.take();
        Ok(Response::new(embed_all(call, request.into_inner(), held, Load::Refuse).await?))
    }

    type EmbedAllStreamStream = Answers<EmbedAllResponse>;

    async fn embed_all_stream(
        &self,
        request: Request<Streaming<EmbedAllRequest>>,
    ) -> Result<Response<Self::EmbedAllStreamStream>, Status> {
        let call = Call::of(&self.0, &request)?;
        let answer = |call, request, held| embed_all(call, request, held, Load::Wait);
        let app = self.0.clone();
        let weigh = move |request: &EmbedAllRequest| {
            weigh(&app, &request.inputs, request.prompt_name.as_deref())
        };
        Ok(Response::new(answers(call, request.into_inner(), weigh, answer)))
    }
}

async fn embed(
    call: Call,
    request: EmbedRequest,
    held: Held,
    load: Load,
) -> Result<EmbedResponse, Failure> {
    let app = &call.app;
    let dimensions = request.dimensions.map(|n| Whole(n.into()));
    let finish = Finish::Vector {
        dimensions: app.dimensions(dimensions)?,
        normalize: request.normalize.unwrap_or(true),
    };
    let asked = Asked {
        inputs: Inputs::Texts(vec![request.inputs]),
        prompt: app.prompt(request.prompt_name.as_deref(), None)?,
        truncate: end(app, request.truncate, request.truncation_direction)?,
        finish,
        held: Arc::new(held),
    };
    let (mut vectors, metadata) = run(&call, asked, load).await?;
    Ok(EmbedResponse { embeddings: vectors.pop().unwrap_or_default(), metadata })
}

async fn embed_all(
    call: Call,
    request: EmbedAllRequest,
    held: Held,
    load: Load,
) -> Result<EmbedAllResponse, Failure> {
    let app = &call.app;
    let asked = Asked {
        inputs: Inputs::Texts(vec![request.inputs]),
        prompt: app.prompt(request.prompt_name.as_deref(), None)?,
        truncate: end(app, request.truncate, request.truncation_direction)?,
        finish: Finish::Tokens,
        held: Arc::new(held),
    };
    let (texts, metadata) = run(&call, asked, load).await?;
    let n_embd = app.facts().n_embd;
    let is_long = texts.iter().map(Vec::len).sum::<usize>() > MOST_INLINE * n_embd;
    let split = move || {
        let rows = texts.iter().flat_map(|rows| rows.chunks_exact(n_embd));
        rows.map(|row| TokenEmbedding { embeddings: row.to_vec() }).collect()
    };
    let token_embeddings = blocking(is_long, split).await?;
    Ok(EmbedAllResponse { token_embeddings, metadata })
}

/// About how many tokens a message has. One whose prompt is unknown is refused, so its weight is of no account.
fn weigh(app: &App, text: &str, prompt: Option<&str>) -> usize {
    let prefix = app.prompt(prompt, None).map_or(String::new(), |prompt| prompt.prefix);
    estimate(text.len(), 1, &prefix)
}

/// What is done with long texts. Here a text is cut only where the request says so, whatever the server's default is: a
/// field that is absent is `false`, as it is at TEI.
fn end(app: &App, asked: bool, direction: i32) -> Result<Truncate, Failure> {
    let direction = match TruncationDirection::try_from(direction) {
        Ok(TruncationDirection::Right) => "right",
        Ok(TruncationDirection::Left) => "left",
        Err(_) => return Err(Failure::invalid("truncation_direction", "it is LEFT or RIGHT")),
    };
    cut(app, Some(asked), Some(direction))
}

/// Embeds one message's text.
async fn run(
    call: &Call,
    asked: Asked,
    load: Load,
) -> Result<(Vec<Vec<f32>>, Option<Metadata>), Failure> {
    let begun = Instant::now();
    let Embedded { vectors, report, .. } = match load {
        Load::Refuse => call.app.embed(asked).await?,
        Load::Wait => call.app.embed_patiently(asked).await?,
    };
    let total = begun.elapsed();
    call.app.metrics.embedded(&report, total);
    let metadata = metadata(&report, total);
    call.tally.add(report);
    Ok((vectors, Some(metadata)))
}

fn metadata(report: &Report, total: Duration) -> Metadata {
    let nanos = |time: Duration| time.as_nanos() as u64;
    Metadata {
        compute_chars: report.characters as u32,
        compute_tokens: report.tokens as u32,
        total_time_ns: nanos(total),
        tokenization_time_ns: nanos(report.tokenization),
        queue_time_ns: nanos(report.queue),
        inference_time_ns: nanos(report.inference),
    }
}
