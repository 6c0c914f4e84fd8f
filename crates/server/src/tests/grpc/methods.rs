//! Each method that takes one message.

use super::*;
use crate::fake::token_row;
use crate::grpc::tei::{
    DecodeRequest, DecodeResponse, EmbedAllRequest, EmbedAllResponse, EncodeRequest,
    EncodeResponse, InfoRequest, InfoResponse,
};
use prost::Message;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

#[tokio::test(flavor = "multi_thread")]
async fn a_text_has_the_bits_that_http_gives_it() {
    let server = Running::new();
    let caller = Caller::connect(&server).await;
    let mut request = tonic::Request::new(EmbedRequest {
        prompt_name: Some("query".to_owned()),
        dimensions: Some(5),
        ..asked("a b c")
    });
    request.metadata_mut().insert("x-request-id", "r-7".parse().unwrap());
    let answer = caller.ask_with::<_, EmbedResponse>(EMBED, request).await.unwrap();
    let header = |name: &str| answer.metadata().get(name).unwrap().to_str().unwrap().to_owned();
    assert_eq!(header("x-request-id"), "r-7");
    assert_eq!(header("x-compute-tokens"), "6");
    assert_eq!(header("x-embedding-space"), "fake-1/0123456789abcdef/5/query");
    assert!(header("server-timing").contains("queue"));
    let answer = answer.into_inner();
    assert_eq!(answer.embeddings, server.fake.vector("a b c", "q: ", 5));
    let json = r#"{"inputs": "a b c", "prompt_name": "query", "dimensions": 5}"#;
    assert_eq!(floats(&server.good("/embed", json)[0]), answer.embeddings);
    let metadata = answer.metadata.unwrap();
    assert_eq!((metadata.compute_chars, metadata.compute_tokens), (5, 6));
    assert!(metadata.total_time_ns > 0);

    let raw = EmbedRequest { normalize: Some(false), ..asked("a b c") };
    let raw = caller.ask::<_, EmbedResponse>(EMBED, raw).await.unwrap().into_inner().embeddings;
    let json = r#"{"inputs": "a b c", "normalize": false}"#;
    assert_eq!(floats(&server.good("/embed", json)[0]), raw);
    assert_ne!(raw, server.fake.vector("a b c", "", 8));
    assert_eq!(caller.begin("").await.unwrap().unwrap(), server.fake.vector("", "", 8));
}

/// Unlike HTTP, a message must ask for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_text_is_cut_where_the_message_says_so() {
    let server = Running::new();
    let caller = Caller::connect(&server).await;
    let words: Vec<String> = (0..100).map(|i| format!("w{i}")).collect();
    let long = words.join(" ");
    let cut = |truncation_direction| EmbedRequest {
        truncate: true,
        truncation_direction,
        ..asked(&long)
    };
    // The context of 64 has two marks.
    for (direction, kept) in [(0, &words[..62]), (1, &words[38..])] {
        let answer = caller.ask::<_, EmbedResponse>(EMBED, cut(direction)).await.unwrap();
        assert_eq!(answer.metadata().get("x-truncated-texts").unwrap(), "1");
        let expected = server.fake.vector(&kept.join(" "), "", 8);
        assert_eq!(answer.into_inner().embeddings, expected, "{direction}");
    }
    let refused = caller.begin(&long).await.unwrap().unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_token_has_a_row() {
    let server = Running::new();
    let caller = Caller::connect(&server).await;
    let request = EmbedAllRequest { inputs: "a b".to_owned(), ..Default::default() };
    let path = "/tei.v1.Embed/EmbedAll";
    let answer = caller.ask::<_, EmbedAllResponse>(path, request).await.unwrap().into_inner();
    let rows: Vec<Vec<f32>> =
        answer.token_embeddings.into_iter().map(|row| row.embeddings).collect();
    let expected: Vec<Vec<f32>> =
        server.fake.encode_ids("a b").into_iter().map(|id| token_row(id).to_vec()).collect();
    assert_eq!(rows, expected);
    assert_eq!(answer.metadata.unwrap().compute_tokens, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_become_tokens_and_tokens_texts() {
    let server = Running::new();
    let caller = Caller::connect(&server).await;
    let tokens = async |add_special_tokens, prompt_name: Option<&str>| {
        let request = EncodeRequest {
            inputs: "a bc".to_owned(),
            add_special_tokens,
            prompt_name: prompt_name.map(str::to_owned),
        };
        let path = "/tei.v1.Tokenize/Tokenize";
        caller.ask::<_, EncodeResponse>(path, request).await.unwrap().into_inner().tokens
    };
    let plain = tokens(false, None).await;
    let places: Vec<_> =
        plain.iter().map(|token| (token.text.as_str(), token.start, token.stop)).collect();
    assert_eq!(places, [("a", Some(0), Some(1)), ("bc", Some(2), Some(4))]);
    let marked = tokens(true, None).await;
    assert_eq!((marked.len(), marked[0].special, marked[0].start), (4, true, None));
    assert_eq!(tokens(false, Some("query")).await[0].text, "q:");
    let decode = async |ids: Vec<u32>, skip_special_tokens| {
        let request = DecodeRequest { ids, skip_special_tokens };
        let path = "/tei.v1.Tokenize/Decode";
        caller.ask::<_, DecodeResponse>(path, request).await.map(|answer| answer.into_inner().text)
    };
    assert_eq!(decode(vec![2, 5, 1], false).await.unwrap(), "2 5 1");
    assert_eq!(decode(vec![2, 5, 1], true).await.unwrap(), "5");
    assert_eq!(decode(vec![1000], true).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread")]
async fn info_describes_the_model() {
    let server = Running::new();
    let caller = Caller::connect(&server).await;
    let answer = caller.ask::<_, InfoResponse>("/tei.v1.Info/Info", InfoRequest {}).await;
    let info = answer.unwrap().into_inner();
    assert_eq!((info.model_id.as_str(), info.model_dtype.as_str()), ("fake-1", "F32"));
    assert_eq!((info.max_input_length, info.max_client_batch_size), (64, 2048));
    assert_eq!(info.model_sha.as_deref(), Some("0123456789abcdef"));
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_that_of_the_engine() {
    let server = Running::new();
    let caller = Caller::connect(&server).await;
    let status = async |service: &str| {
        let request = HealthCheckRequest { service: service.to_owned() };
        let path = "/grpc.health.v1.Health/Check";
        let answer = caller.ask::<_, HealthCheckResponse>(path, request).await;
        answer.map(|answer| answer.into_inner().status).map_err(|status| status.code())
    };
    for service in ["", "tei.v1.Info", "tei.v1.Embed", "tei.v1.Tokenize"] {
        assert_eq!(status(service).await, Ok(1), "{service}");
    }
    assert_eq!(status("tei.v1.Rerank").await, Err(Code::NotFound));
    assert_eq!(caller.begin("broken").await.unwrap().unwrap_err().code(), Code::Unavailable);
    assert_eq!(status("").await, Ok(2));
}

/// A client that has no .proto file finds all of it.
#[tokio::test(flavor = "multi_thread")]
async fn services_are_described() {
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
    use tonic_reflection::pb::v1::{ServerReflectionRequest, ServerReflectionResponse};
    let server = Running::new();
    let caller = Caller::connect(&server).await;
    let ask =
        |request| ServerReflectionRequest { host: String::new(), message_request: Some(request) };
    let requests = vec![
        ask(MessageRequest::ListServices(String::new())),
        ask(MessageRequest::FileContainingSymbol("tei.v1.Embed".to_owned())),
    ];
    let path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    let mut answers =
        caller.stream::<_, ServerReflectionResponse>(path, iter(requests)).await.unwrap();
    let mut next = async || answers.message().await.unwrap().unwrap().message_response.unwrap();
    let MessageResponse::ListServicesResponse(services) = next().await else { panic!() };
    let mut names: Vec<String> = services.service.into_iter().map(|service| service.name).collect();
    names.sort();
    let expected = [
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "tei.v1.Embed",
        "tei.v1.Info",
        "tei.v1.Tokenize",
    ];
    assert_eq!(names, expected);
    let MessageResponse::FileDescriptorResponse(files) = next().await else { panic!() };
    let file = prost_types::FileDescriptorProto::decode(&files.file_descriptor_proto[0][..]);
    let file = file.unwrap();
    assert_eq!(file.package(), "tei.v1");
    // Every method that is described is routed.
    for service in &file.service {
        for method in &service.method {
            let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
            let answer = server.client().ask("POST", &path, &[], b"x");
            assert_eq!(answer.status, 415, "{path}");
        }
    }
}
