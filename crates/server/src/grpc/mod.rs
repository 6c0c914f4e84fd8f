//! TEI's gRPC, at the same port: its routes. The services do what the routes of HTTP do, by the same functions.
//!
//! Requests go through `serve` here and not through `app`'s, because a gRPC status is sent after the body. `body` counts
//! the bytes that arrive; `stream` answers the messages of a stream in order; `delivery` brings answers to the client.
//!
//! What is in `tei.rs` and `tei.descriptor` is generated from `../proto/tei.proto`.

mod body;
pub mod delivery;
mod embed;
mod health;
mod info;
mod serve;
mod status;
mod stream;
mod tally;
#[allow(missing_docs)]
#[rustfmt::skip]
pub mod tei;
mod tokenize;

use crate::app::App;
use crate::failure::Failure;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, Response, Version};
use axum::response::IntoResponse;
use axum::routing::post;
use body::{Arriving, arriving};
pub use serve::serve;
use std::convert::Infallible;
use std::sync::Arc;
use tonic::codegen::Service;
use tonic_health::pb::health_server::HealthServer;

/// The services and messages of `tei.proto`, for reflection.
const DESCRIPTOR: &[u8] = include_bytes!("tei.descriptor");
/// Bytes of a message to a service that everybody may ask.
const SMALL: usize = 64 << 10;

/// How the messages of a method come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// One, and at once.
    Unary,
    /// As many as the client likes, when it likes.
    Stream,
    /// To a service that needs no key; small ones.
    Open,
}

/// TEI's methods that an embedding model cannot serve.
const NOT_OFFERED: [(&str, &str); 4] = [
    ("/tei.v1.Embed/EmbedSparse", "make sparse vectors"),
    ("/tei.v1.Embed/EmbedSparseStream", "make sparse vectors"),
    ("/tei.v1.Predict/{method}", "classify texts"),
    ("/tei.v1.Rerank/{method}", "rank texts"),
];

/// Whether a request is one of gRPC.
pub fn is_grpc(request: &Request) -> bool {
    let kind = request.headers().get(CONTENT_TYPE).map(|value| value.as_bytes());
    let rest = kind.and_then(|kind| kind.strip_prefix(b"application/grpc"));
    request.version() == Version::HTTP_2
        && request.method() == Method::POST
        && rest.is_some_and(|rest| !rest.starts_with(b"-web"))
}

/// All methods, each a route, so that metrics and the log name it.
pub fn routes(app: &Arc<App>) -> Router<Arc<App>> {
    let most = app.options.limits.body;
    let embed = tei::embed_server::EmbedServer::new(embed::Service(app.clone()));
    let embed = embed.max_decoding_message_size(most);
    let tokenize = tei::tokenize_server::TokenizeServer::new(tokenize::Service(app.clone()));
    let tokenize = tokenize.max_decoding_message_size(most);
    let info = tei::info_server::InfoServer::new(info::Service(app.clone()));
    let health = HealthServer::new(health::Service(app.clone())).max_decoding_message_size(SMALL);
    let routes = Routes(app, Router::new())
        .add("/tei.v1.Info/Info", Kind::Unary, &info)
        .add("/tei.v1.Embed/Embed", Kind::Unary, &embed)
        .add("/tei.v1.Embed/EmbedStream", Kind::Stream, &embed)
        .add("/tei.v1.Embed/EmbedAll", Kind::Unary, &embed)
        .add("/tei.v1.Embed/EmbedAllStream", Kind::Stream, &embed)
        .add("/tei.v1.Tokenize/Tokenize", Kind::Unary, &tokenize)
        .add("/tei.v1.Tokenize/TokenizeStream", Kind::Stream, &tokenize)
        .add("/tei.v1.Tokenize/Decode", Kind::Unary, &tokenize)
        .add("/tei.v1.Tokenize/DecodeStream", Kind::Stream, &tokenize)
        .add("/grpc.health.v1.Health/Check", Kind::Open, &health)
        .add("/grpc.health.v1.Health/Watch", Kind::Open, &health);
    let Routes(_, router) = reflection(routes);
    NOT_OFFERED.into_iter().fold(router, |router, (path, what)| {
        router.route(path, post(async move || Failure::NotOffered(what)))
    })
}

/// Reflection, in the version that it has now and in the one that grpcio's clients and others still ask for. If the
/// descriptor were damaged, reflection would be missing; a test checks that it is there.
fn reflection(routes: Routes<'_>) -> Routes<'_> {
    let builder = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTOR)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let (Ok(v1), Ok(v1_alpha)) = (builder().build_v1(), builder().build_v1alpha()) else {
        return routes;
    };
    let path =
        |version| format!("/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo");
    routes.add(&path("v1"), Kind::Open, &v1.max_decoding_message_size(SMALL)).add(
        &path("v1alpha"),
        Kind::Open,
        &v1_alpha.max_decoding_message_size(SMALL),
    )
}

/// Routes under construction.
struct Routes<'a>(&'a Arc<App>, Router<Arc<App>>);

impl Routes<'_> {
    /// A method of a service.
    fn add<S>(self, path: &str, kind: Kind, service: &S) -> Self
    where
        S: Service<
                axum::http::Request<Arriving>,
                Response = Response<tonic::body::Body>,
                Error = Infallible,
            > + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send,
    {
        let (app, service) = (self.0.clone(), service.clone());
        let answer = move |request: Request| {
            let (app, mut service) = (app.clone(), service.clone());
            async move {
                if !is_grpc(&request) {
                    let reason = "gRPC needs HTTP/2 and content-type: application/grpc";
                    return Failure::UnsupportedMedia(reason.to_owned()).into_response();
                }
                match service.call(arriving(request, &app, kind)).await {
                    Ok(response) => response.map(Body::new),
                    Err(never) => match never {},
                }
            }
        };
        Routes(self.0, self.1.route(path, post(answer)))
    }
}
