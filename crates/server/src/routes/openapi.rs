//! The description of all routes, for programs: OpenAPI.
//!
//! `openapi.json` holds what is the same for every model. The model's numbers and names are filled in, so that what the
//! description allows is what this server takes.

use crate::answer;
use crate::app::App;
use crate::failure::Failure;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use serde_json::{Value, json};
use std::sync::Arc;

const DOCUMENT: &str = include_str!("openapi.json");
/// Cohere's names of the two prompts that have others here.
const INPUT_TYPES: [(&str, &str); 2] = [("query", "search_query"), ("document", "search_document")];

/// The routes; the second is TEI's.
pub fn routes() -> Router<Arc<App>> {
    Router::new().route("/openapi.json", get(openapi)).route("/api-doc/openapi.json", get(openapi))
}

async fn openapi(State(app): State<Arc<App>>) -> Result<Response, Failure> {
    answer::json(&document(&app)?)
}

fn document(app: &App) -> Result<Value, Failure> {
    let (facts, limits) = (app.facts(), app.options.limits);
    let mut document: Value = serde_json::from_str(DOCUMENT)
        .map_err(|error| Failure::Engine(format!("a bug in this server: {error}")))?;
    let mut set = |place: &str, key: &str, value: Value| {
        if let Some(object) = document.pointer_mut(place).and_then(Value::as_object_mut) {
            object.insert(key.to_owned(), value);
        }
    };
    let schema = |name: &str| format!("/components/schemas/{name}");
    set("/info", "version", json!(facts.version));
    set(&schema("Dimensions"), "maximum", json!(facts.dimensions));
    set(&schema("TokenId"), "maximum", json!(facts.n_vocab - 1));
    set(&schema("Ids/oneOf/0"), "maxItems", json!(facts.n_ctx));
    set(&schema("Ids/oneOf/1/items"), "maxItems", json!(facts.n_ctx));
    for list in [
        "DecodeRequest/properties/ids/oneOf/1",
        "Ids/oneOf/1",
        "OllamaTexts/oneOf/1",
        "Texts/oneOf/1",
    ] {
        set(&schema(list), "maxItems", json!(limits.batch));
    }
    let names: Vec<&str> = facts.prompts.iter().map(|prompt| prompt.name.as_str()).collect();
    let input_types = INPUT_TYPES.iter().filter(|(name, _)| names.contains(name));
    let input_types = input_types.map(|(_, input_type)| *input_type).chain(names.iter().copied());
    set(&schema("InputType"), "enum", choices(input_types));
    set(&schema("PromptName"), "enum", choices(names.iter().copied()));
    if app.options.strict_model {
        set(&schema("Model"), "enum", choices(app.options.names.iter().map(String::as_str)));
    }
    Ok(document)
}

/// One of these, or null.
fn choices<'a>(names: impl Iterator<Item = &'a str>) -> Value {
    names.map(Value::from).chain([Value::Null]).collect()
}
