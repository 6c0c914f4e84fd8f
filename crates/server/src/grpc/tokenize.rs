//! Texts to tokens and back.

use super::body::Call;
use super::stream::{Answers, answers};
use super::tei::tokenize_server::Tokenize;
use super::tei::{DecodeRequest, DecodeResponse, EncodeRequest, EncodeResponse, SimpleToken};
use crate::app::App;
use crate::body::Held;
use crate::embed::estimate;
use crate::engine::Token;
use crate::failure::Failure;
use crate::routes::tokens as routes;
use std::sync::Arc;
use tonic::{Request, Response, Status, Streaming};

/// The service.
pub struct Service(pub Arc<App>);

#[tonic::async_trait]
impl Tokenize for Service {
    async fn tokenize(
        &self,
        request: Request<EncodeRequest>,
    ) -> Result<Response<EncodeResponse>, Status> {
        let call = Call::of(&self.0, &request)?;
        let held = call.take();
        Ok(Response::new(encode(call, request.into_inner(), held).await?))
    }

    type TokenizeStreamStream = Answers<EncodeResponse>;

    async fn tokenize_stream(
        &self,
        request: Request<Streaming<EncodeRequest>>,
    ) -> Result<Response<Self::TokenizeStreamStream>, Status> {
        let call = Call::of(&self.0, &request)?;
        let weigh = |request: &EncodeRequest| estimate(request.inputs.len(), 1, "");
        Ok(Response::new(answers(call, request.into_inner(), weigh, encode)))
    }

    async fn decode(
        &self,
        request: Request<DecodeRequest>,
    ) -> Result<Response<DecodeResponse>, Status> {
        let call = Call::of(&self.0, &request)?;
        let held = call.take();
        Ok(Response::new(decode(call, request.into_inner(), held).await?))
    }

    type DecodeStreamStream = Answers<DecodeResponse>;

    async fn decode_stream(
        &self,
        request: Request<Streaming<DecodeRequest>>,
    ) -> Result<Response<Self::DecodeStreamStream>, Status> {
        let call = Call::of(&self.0, &request)?;
        let weigh = |request: &DecodeRequest| request.ids.len();
        Ok(Response::new(answers(call, request.into_inner(), weigh, decode)))
    }
}

impl From<Token> for SimpleToken {
    fn from(token: Token) -> SimpleToken {
        let place = token.span.map(|span| (span.start as u32, span.end as u32));
        let (start, stop) = place.unzip();
        SimpleToken { id: token.id, text: token.text, special: token.special, start, stop }
    }
}

async fn encode(
    call: Call,
    request: EncodeRequest,
    _held: Held,
) -> Result<EncodeResponse, Failure> {
    let prefix = call.app.asked_prefix(request.prompt_name.as_deref())?;
    let (texts, marks) = (vec![request.inputs], request.add_special_tokens);
    let tokens = routes::tokens(call.app, texts, prefix, marks).await?;
    Ok(EncodeResponse { tokens: tokens.into_iter().flatten().map(SimpleToken::from).collect() })
}

async fn decode(
    call: Call,
    request: DecodeRequest,
    _held: Held,
) -> Result<DecodeResponse, Failure> {
    let skip = request.skip_special_tokens;
    let mut texts = routes::texts(call.app, "ids", vec![request.ids], skip).await?;
    Ok(DecodeResponse { text: texts.pop().unwrap_or_default() })
}
