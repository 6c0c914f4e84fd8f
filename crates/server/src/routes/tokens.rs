//! Texts to tokens and back, as TEI and llama-server do it.

use crate::answer::{self, blocking};
use crate::app::App;
use crate::body::Json;
use crate::engine::Token;
use crate::failure::Failure;
use crate::inputs::{Ids, Inputs};
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;

/// Bodies with more bytes are tokenized by another thread than the one that serves all connections.
const SHORT: usize = 8 << 10;

/// The routes.
pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/tokenize", post(tokenize))
        .route("/decode", post(decode))
        .route("/detokenize", post(detokenize))
}

/// What both take: TEI's `inputs`, or llama-server's `content`.
#[derive(Deserialize)]
struct TokenizeRequest {
    inputs: Option<Inputs>,
    add_special_tokens: Option<bool>,
    prompt_name: Option<String>,
    content: Option<String>,
    add_special: Option<bool>,
    with_pieces: Option<bool>,
}

/// A token as TEI writes it. Positions are in bytes.
#[derive(Serialize)]
struct TeiToken {
    id: u32,
    text: String,
    special: bool,
    start: Option<usize>,
    stop: Option<usize>,
}

impl From<Token> for TeiToken {
    fn from(token: Token) -> TeiToken {
        let (start, stop) = token.span.map(|span| (span.start, span.end)).unzip();
        TeiToken { id: token.id, text: token.text, special: token.special, start, stop }
    }
}

async fn tokenize(
    State(app): State<Arc<App>>,
    Json { value: request, held: _held }: Json<TokenizeRequest>,
) -> Result<Response, Failure> {
    let inputs = match (request.inputs, request.content) {
        (Some(inputs), _) => inputs,
        (None, Some(content)) => {
            let marks = request.add_special.unwrap_or(false);
            let tokens = tokens(app, vec![content], String::new(), marks).await?.remove(0);
            let piece = |token: Token| match request.with_pieces {
                Some(true) => json!({"id": token.id, "piece": token.text}),
                _ => json!(token.id),
            };
            let tokens: Vec<Value> = tokens.into_iter().map(piece).collect();
            return answer::json(&json!({"tokens": tokens}));
        }
        (None, None) => return Err(Failure::invalid("inputs", "it is required")),
    };
    let Inputs::Texts(texts) = inputs else {
        return Err(Failure::invalid("inputs", "token ids are tokens already"));
    };
    let prefix = app.asked_prefix(request.prompt_name.as_deref())?;
    let marks = request.add_special_tokens.unwrap_or(true);
    let tokens = tokens(app, texts, prefix, marks).await?;
    let texts: Vec<Vec<TeiToken>> =
        tokens.into_iter().map(|tokens| tokens.into_iter().map(TeiToken::from).collect()).collect();
    answer::json(&texts)
}

/// The tokens of texts, as many in all as a request may have.
pub async fn tokens(
    app: Arc<App>,
    texts: Vec<String>,
    prefix: String,
    marks: bool,
) -> Result<Vec<Vec<Token>>, Failure> {
    check_count(&app, texts.len())?;
    let bytes: usize = texts.iter().map(String::len).sum();
    let all = move || {
        let most = app.options.limits.request_tokens;
        let mut left = most;
        let mut one = |text: &String| {
            let tokens = app.engine.tokens(text, &prefix, marks, left).ok_or_else(|| {
                Failure::TooLarge(format!("more than the {most} tokens that a request may have"))
            })?;
            left -= tokens.len();
            Ok(tokens)
        };
        texts.iter().map(&mut one).collect()
    };
    blocking(bytes > SHORT, all).await?
}

fn check_count(app: &App, texts: usize) -> Result<(), Failure> {
    let most = app.options.limits.batch;
    match texts {
        0 => Err(Failure::NoTexts),
        found if found > most => Err(Failure::TooManyTexts { found, most }),
        _ => Ok(()),
    }
}

#[derive(Deserialize)]
struct DecodeRequest {
    ids: Option<Inputs>,
    skip_special_tokens: Option<bool>,
}

async fn decode(
    State(app): State<Arc<App>>,
    Json { value: request, held: _held }: Json<DecodeRequest>,
) -> Result<Response, Failure> {
    let ids = match request.ids.ok_or_else(|| Failure::invalid("ids", "it is required"))? {
        Inputs::Ids(ids) => ids,
        Inputs::Texts(texts) if texts.is_empty() => return Err(Failure::NoTexts),
        Inputs::Texts(_) => return Err(Failure::invalid("ids", "they are numbers")),
    };
    check_count(&app, ids.len())?;
    let skip = request.skip_special_tokens.unwrap_or(true);
    let texts = texts(app, "ids", ids, skip).await?;
    answer::json(&texts)
}

#[derive(Deserialize)]
struct DetokenizeRequest {
    tokens: Option<Ids>,
}

async fn detokenize(
    State(app): State<Arc<App>>,
    Json { value: request, held: _held }: Json<DetokenizeRequest>,
) -> Result<Response, Failure> {
    let tokens = request.tokens.map(|ids| ids.0).unwrap_or_default();
    let text = texts(app, "tokens", vec![tokens], false).await?.remove(0);
    answer::json(&json!({"content": text}))
}

/// The texts of ids.
pub async fn texts(
    app: Arc<App>,
    field: &str,
    ids: Vec<Vec<u32>>,
    skip: bool,
) -> Result<Vec<String>, Failure> {
    let n_vocab = app.facts().n_vocab;
    if let Some(id) = ids.iter().flatten().find(|id| **id as usize >= n_vocab) {
        let reason = format!("the id {id} is beyond the vocabulary of {n_vocab} pieces");
        return Err(Failure::invalid(field, reason));
    }
    let n: usize = ids.iter().map(Vec::len).sum();
    let decode = move || ids.iter().map(|ids| app.engine.decode(ids, skip)).collect();
    blocking(n > SHORT, decode).await
}
