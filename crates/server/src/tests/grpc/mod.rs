//! gRPC, with tonic's client over a connection of its own.

mod life;
mod methods;
mod refusals;
mod streams;
mod wire;

use super::*;
use crate::grpc::tei::{EmbedRequest, EmbedResponse};
use axum::http::uri::PathAndQuery;
use axum::http::{Request, Response, Uri};
use futures_util::stream::{Stream, StreamExt, iter};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::{Code, IntoStreamingRequest, Status, Streaming};
use tonic_prost::ProstCodec;

const EMBED: &str = "/tei.v1.Embed/Embed";
const EMBED_STREAM: &str = "/tei.v1.Embed/EmbedStream";

/// A connection of HTTP/2, as tonic wants one.
#[derive(Clone)]
struct Connection(SendRequest<Body>);

impl Service<Request<Body>> for Connection {
    type Response = Response<Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = hyper::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}

/// A client of gRPC; copies share its connection.
#[derive(Clone)]
struct Caller {
    connection: Connection,
    origin: Uri,
}

impl Caller {
    async fn connect(server: &Running) -> Caller {
        let stream = TcpStream::connect(&server.host).await.unwrap();
        let builder = Builder::new(TokioExecutor::new());
        let (send, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let origin = format!("http://{}", server.host).parse().unwrap();
        Caller { connection: Connection(send), origin }
    }

    async fn grpc(&self) -> tonic::client::Grpc<Connection> {
        let connection = self.connection.clone();
        let mut grpc = tonic::client::Grpc::with_origin(connection, self.origin.clone());
        grpc.ready().await.unwrap();
        grpc
    }

    /// One message for one.
    async fn ask<Q, A>(&self, path: &'static str, message: Q) -> Result<tonic::Response<A>, Status>
    where
        Q: prost::Message + 'static,
        A: prost::Message + Default + 'static,
    {
        self.ask_with(path, tonic::Request::new(message)).await
    }

    /// The same with metadata.
    async fn ask_with<Q, A>(
        &self,
        path: &'static str,
        request: tonic::Request<Q>,
    ) -> Result<tonic::Response<A>, Status>
    where
        Q: prost::Message + 'static,
        A: prost::Message + Default + 'static,
    {
        let (path, codec) = (PathAndQuery::from_static(path), ProstCodec::<Q, A>::default());
        let mut grpc = self.grpc().await;
        let asked = grpc.unary(request, path, codec);
        tokio::time::timeout(Duration::from_secs(60), asked).await.expect("an answer in time")
    }

    /// Messages for messages.
    async fn stream<Q, A>(
        &self,
        path: &'static str,
        messages: impl IntoStreamingRequest<Message = Q, Stream: Send + 'static>,
    ) -> Result<Streaming<A>, Status>
    where
        Q: prost::Message + 'static,
        A: prost::Message + Default + 'static,
    {
        let (path, codec) = (PathAndQuery::from_static(path), ProstCodec::<Q, A>::default());
        let mut grpc = self.grpc().await;
        let asked = grpc.streaming(messages.into_streaming_request(), path, codec);
        asked.await.map(tonic::Response::into_inner)
    }

    /// Embeds a text in the background.
    fn begin(&self, text: &str) -> tokio::task::JoinHandle<Result<Vec<f32>, Status>> {
        let (caller, request) = (self.clone(), asked(text));
        tokio::spawn(async move {
            let answer: EmbedResponse = caller.ask(EMBED, request).await?.into_inner();
            Ok(answer.embeddings)
        })
    }
}

fn asked(text: &str) -> EmbedRequest {
    EmbedRequest { inputs: text.to_owned(), ..EmbedRequest::default() }
}

/// Messages after which the client stays.
fn and_more<Q: Send + 'static>(messages: Vec<Q>) -> impl Stream<Item = Q> + Send + 'static {
    iter(messages).chain(futures_util::stream::pending())
}
