//! Every route and encoding against the library, alone and in company.

use monomorph::{EmbedOptions, Embedder};
use serde_json::json;

use super::*;

/// Texts of every kind: none, long ones, other scripts, what JSON escapes.
fn texts() -> Vec<String> {
    let mut texts: Vec<String> = [
        "",
        " ",
        "Mars is red.",
        "Which planet is known as the Red Planet?",
        "Ω≈ç√∫˜µ≤≥÷ — ß, 你好，世界, \u{1f680}",
        "line\nbreaks\ttabs \"quotes\" \\ and \u{7f}",
        "<bos> is no mark here </s>",
    ]
    .map(str::to_owned)
    .to_vec();
    texts.extend((1..6).map(|n| "a few more words, ".repeat(3 * n)));
    texts.push(long_text());
    texts
}

/// The library's vectors.
fn expected(texts: &[String], options: &EmbedOptions) -> Vec<Vec<f32>> {
    let embedder = Embedder::open_built().expect("the model of the build");
    let embeddings = embedder.run(texts, options).expect("vectors");
    embeddings.into_iter().map(|embedding| embedding.vector).collect()
}

/// The vectors of an answer of OpenAI's route.
fn open_ai(answer: &Answer) -> Vec<Vec<f32>> {
    let answer = good(answer);
    let data = answer["data"].as_array().expect("a list");
    data.iter().map(|item| values(&item["embedding"])).collect()
}

/// A vector as numbers or in base64.
fn values(embedding: &Value) -> Vec<f32> {
    match embedding.as_str() {
        Some(text) => decode(text).as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
        None => vector(embedding),
    }
}

/// Base64, standard and padded.
fn decode(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits, mut n) = (Vec::new(), 0_u32, 0);
    assert_eq!(text.len() % 4, 0);
    for byte in text.trim_end_matches('=').bytes() {
        let value = ALPHABET.iter().position(|known| *known == byte).expect("base64");
        (bits, n) = (bits << 6 | value as u32, n + 6);
        if n >= 8 {
            n -= 8;
            bytes.push((bits >> n) as u8);
        }
    }
    bytes
}

/// One of the routes that embed: its body for some texts, and the vectors of its answer.
struct Route {
    path: &'static str,
    body: fn(&[String]) -> Value,
    vectors: fn(&Answer) -> Vec<Vec<f32>>,
}

const ROUTES: [Route; 6] = [
    Route {
        path: "/v1/embeddings",
        body: |texts| json!({"input": texts, "encoding_format": "float"}),
        vectors: open_ai,
    },
    Route {
        path: "/embeddings",
        body: |texts| json!({"input": texts, "encoding_format": "base64"}),
        vectors: open_ai,
    },
    Route {
        path: "/embed",
        body: |texts| json!({"inputs": texts}),
        vectors: |answer| good(answer).as_array().expect("a list").iter().map(vector).collect(),
    },
    Route {
        path: "/",
        body: |texts| json!({"inputs": texts}),
        vectors: |answer| good(answer).as_array().expect("a list").iter().map(vector).collect(),
    },
    Route {
        path: "/api/embed",
        body: |texts| json!({"model": "m", "input": texts}),
        vectors: |answer| {
            let answer = good(answer);
            answer["embeddings"].as_array().expect("a list").iter().map(vector).collect()
        },
    },
    Route {
        path: "/embedding",
        body: |texts| json!({"content": texts}),
        vectors: |answer| {
            let answer = good(answer);
            let items = answer.as_array().expect("a list");
            items.iter().map(|item| vector(&item["embedding"][0])).collect()
        },
    },
];

#[test]
fn similarity_is_the_librarys_cosine() {
    let server = Server::start(&[]);
    let texts = texts();
    let vectors = expected(&texts, &EmbedOptions::default());
    let cosines: Vec<f32> =
        vectors[1..].iter().map(|v| monomorph::cosine(&vectors[0], v)).collect();
    let asked = json!({"inputs": {"source_sentence": texts[0], "sentences": texts[1..]}});
    let answer = good(&server.client().post("/similarity", &asked.to_string()));
    assert_eq!(vector(&answer), cosines);
}

/// Unscaled, at the routes that give such vectors.
#[test]
fn vectors_are_scaled_only_where_they_should() {
    let server = Server::start(&[]);
    let texts = texts();
    let options = EmbedOptions { normalize: false, ..Default::default() };
    let expected = expected(&texts, &options);
    let mut client = server.client();
    let asked = json!({"inputs": texts, "normalize": false}).to_string();
    assert_eq!((ROUTES[2].vectors)(&client.post("/embed", &asked)), expected);
    let asked = json!({"content": texts, "embd_normalize": -1}).to_string();
    assert_eq!((ROUTES[5].vectors)(&client.post("/embedding", &asked)), expected);
    for (text, expected) in texts.iter().zip(&expected).filter(|(text, _)| !text.is_empty()) {
        let asked = json!({"model": "m", "prompt": text}).to_string();
        let answer = good(&client.post("/api/embeddings", &asked));
        assert_eq!(vector(&answer["embedding"]), *expected);
    }
}

#[test]
fn rows_of_tokens_are_the_librarys() {
    let server = Server::start(&[]);
    let embedder = Embedder::open_built().expect("the model of the build");
    let texts = texts();
    let answer = good(&server.client().post("/embed_all", &json!({"inputs": texts}).to_string()));
    for (text, found) in texts.iter().zip(answer.as_array().expect("a list")) {
        let ids = embedder.encode(text, &EmbedOptions::default()).expect("ids").ids;
        let width = monomorph::built::SPEC.n_embd;
        let mut rows = vec![0.0; ids.len() * width];
        embedder.token_rows(&ids, None, &mut rows).expect("rows");
        let found: Vec<Vec<f32>> = found.as_array().expect("a list").iter().map(vector).collect();
        assert_eq!(found.concat(), rows, "{text}");
        assert_eq!(found.len(), ids.len());
    }
}

#[test]
fn tokens_are_the_librarys() {
    let server = Server::start(&[]);
    let tokenizer = monomorph::built::tokenizer();
    let mut client = server.client();
    for text in texts() {
        let ids = tokenizer.encode(&text, 100_000).ids;
        let tei = good(&client.post("/tokenize", &json!({"inputs": text}).to_string()));
        let found: Vec<Value> =
            tei[0].as_array().expect("a list").iter().map(|token| token["id"].clone()).collect();
        assert_eq!(json!(found), json!(ids));
        let asked = json!({"content": text, "add_special": true}).to_string();
        assert_eq!(good(&client.post("/tokenize", &asked)), json!({"tokens": ids}));
        let decoded = good(&client.post("/decode", &json!({"ids": [ids]}).to_string()));
        assert_eq!(decoded, json!([tokenizer.decode(&ids, true)]));
        let decoded = good(&client.post("/detokenize", &json!({"tokens": ids}).to_string()));
        assert_eq!(decoded, json!({"content": tokenizer.decode(&ids, false)}));
    }
}

#[test]
fn every_route_has_the_librarys_bits() {
    let server = Server::start(&[]);
    let texts = texts();
    let mut client = server.client();
    let whole = expected(&texts, &EmbedOptions::default());
    for route in ROUTES {
        let answer = client.post(route.path, &(route.body)(&texts).to_string());
        assert_eq!((route.vectors)(&answer), whole, "{}", route.path);
        // Ollama takes a single empty text for none.
        let is_ollama = route.path.starts_with("/api/");
        for (i, text) in texts.iter().enumerate().filter(|(_, text)| !is_ollama || !text.is_empty())
        {
            let answer = client.post(route.path, &(route.body)(&texts[i..=i]).to_string());
            assert_eq!((route.vectors)(&answer), [whole[i].clone()], "{}: {text}", route.path);
        }
    }
    let n = dimensions() / 2;
    for dimensions in [None, Some(n)] {
        let options = EmbedOptions { dimensions, ..Default::default() };
        let expected = expected(&texts, &options);
        for form in ["float", "base64"] {
            let asked = json!({"input": texts, "encoding_format": form, "dimensions": dimensions});
            assert_eq!(open_ai(&client.post("/v1/embeddings", &asked.to_string())), expected);
            for (text, expected) in texts.iter().zip(&expected) {
                let asked =
                    json!({"input": text, "encoding_format": form, "dimensions": dimensions});
                let found = open_ai(&client.post("/v1/embeddings", &asked.to_string()));
                assert_eq!(found[0], *expected, "{form}");
            }
        }
    }
}

#[test]
fn prompts_are_the_librarys() {
    let server = Server::start(&["--prefix", "own: "]);
    let texts = texts();
    let ask = |asked: Value| open_ai(&server.client().post("/v1/embeddings", &asked.to_string()));
    let prefix =
        |prefix: &str| EmbedOptions { prefix: Some(prefix.to_owned()), ..Default::default() };
    assert_eq!(ask(json!({"input": texts})), expected(&texts, &prefix("own: ")));
    assert_eq!(ask(json!({"input": texts, "prompt": "x"})), expected(&texts, &prefix("x")));
    for prompt in monomorph::built::SPEC.prompts.iter() {
        let options = EmbedOptions { prompt: Some(*prompt), ..Default::default() };
        for name in prompt.names {
            let found = ask(json!({"input": texts[2..4], "prompt_name": name}));
            assert_eq!(found, expected(&texts[2..4], &options), "{name}");
        }
    }
}

/// Sixty-four clients of all kinds, with requests of all sizes; fewer where instructions are slow.
#[test]
fn company_changes_no_bit() {
    if skip_on_large_model() {
        return;
    }
    let is_slow = std::env::var("MONOMORPH_ISA").is_ok_and(|isa| isa == "scalar");
    let (clients, rounds) = if is_slow { (8, 2) } else { (64, 4) };
    let server = Server::start(&["--max-wait", "600"]);
    let texts = texts();
    let expected = expected(&texts, &EmbedOptions::default());
    std::thread::scope(|scope| {
        for client in 0..clients {
            let (server, texts, expected) = (&server, &texts, &expected);
            scope.spawn(move || {
                let mut connection = server.client();
                for round in 0..rounds {
                    let first = (client + 5 * round) % texts.len();
                    // Ollama takes a single empty text for none.
                    let least = if first == 0 { 2 } else { 1 };
                    let n = least + (client * 7 + round) % (texts.len() - first - least + 1);
                    let some = first..first + n;
                    let route = &ROUTES[(client + round) % ROUTES.len()];
                    let body = (route.body)(&texts[some.clone()]).to_string();
                    let found = (route.vectors)(&connection.post(route.path, &body));
                    assert_eq!(found, expected[some], "client {client} at {}", route.path);
                }
            });
        }
    });
}
