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

#[test]
fn every_route_has_the_librarys_bits() {
    let server = Server::start(&[]);
    let texts = texts();
    let mut client = server.client();
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

/// Sixty-four clients with requests of all sizes and forms.
#[test]
fn company_changes_no_bit() {
    if skip_on_large_model() {
        return;
    }
    let server = Server::start(&[]);
    let texts = texts();
    let whole = expected(&texts, &EmbedOptions::default());
    let half = Some(dimensions() / 2);
    let cut = expected(&texts, &EmbedOptions { dimensions: half, ..Default::default() });
    std::thread::scope(|scope| {
        for client in 0..64 {
            let (server, texts, whole, cut) = (&server, &texts, &whole, &cut);
            scope.spawn(move || {
                let mut connection = server.client();
                for round in 0..4 {
                    let first = (client + 5 * round) % texts.len();
                    let n = 1 + (client * 7 + round) % (texts.len() - first);
                    let some = first..first + n;
                    let form = ["float", "base64"][(client + round) % 2];
                    let is_cut = client % 3 == 0;
                    let dimensions = half.filter(|_| is_cut);
                    let asked = json!({
                        "input": texts[some.clone()], "encoding_format": form, "dimensions": dimensions,
                    });
                    let found = open_ai(&connection.post("/v1/embeddings", &asked.to_string()));
                    let expected = if is_cut { cut } else { whole };
                    assert_eq!(found, expected[some], "client {client}");
                }
            });
        }
    });
}
