//! What the server says of its routes is what it does.

use super::*;
use serde_json::json;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Every operation: path, method, description.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    let of_path = |(path, methods): (&String, &Value)| {
        let methods = methods.as_object().unwrap().iter();
        let one = |(method, operation): (&String, &Value)| {
            (path.clone(), method.to_uppercase(), operation.clone())
        };
        methods.map(one).collect::<Vec<_>>()
    };
    paths.flat_map(of_path).collect()
}

/// Whether a value has what a schema says it must; as much of JSON Schema as the document uses for answers.
fn fits(document: &Value, schema: &Value, value: &Value) -> bool {
    if let Some(place) = schema["$ref"].as_str() {
        let schema = document.pointer(place.strip_prefix('#').unwrap());
        return fits(document, schema.unwrap_or_else(|| panic!("no {place}")), value);
    }
    let any = |key: &str| match schema[key].as_array() {
        Some(schemas) => schemas.iter().any(|schema| fits(document, schema, value)),
        None => true,
    };
    let types: Vec<&Value> = match &schema["type"] {
        Value::Null => vec![],
        Value::Array(types) => types.iter().collect(),
        one => vec![one],
    };
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let is_type = |name: &&Value| **name == kind || (kind == "integer" && **name == "number");
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let has_all = required.iter().all(|key| value.get(key.as_str().unwrap()).is_some());
    let properties = schema["properties"].as_object().cloned().unwrap_or_default();
    let properties_fit = properties
        .iter()
        .all(|(key, schema)| value.get(key).is_none_or(|value| fits(document, schema, value)));
    let items = value.as_array().cloned().unwrap_or_default();
    let items_fit = items
        .iter()
        .all(|item| schema.get("items").is_none_or(|schema| fits(document, schema, item)));
    (types.is_empty() || types.iter().any(is_type))
        && any("anyOf")
        && any("oneOf")
        && schema.get("const").is_none_or(|only| only == value)
        && has_all
        && properties_fit
        && items_fit
}

/// Each example gets an answer of the described shape, and a body that is none gets a described refusal.
#[test]
fn examples_are_answered_as_described() {
    let server = Running::new();
    let document = parsed(&server.get("/openapi.json"));
    assert_eq!(document, parsed(&server.get("/api-doc/openapi.json")));
    assert!(operations(&document).len() > 25);
    for (path, method, operation) in operations(&document) {
        let place = path.replace("{id}", "fake-1");
        let content = &operation["requestBody"]["content"]["application/json"];
        let body = content.get("example").map(Value::to_string).unwrap_or_default();
        let answer = server.client().ask(&method, &place, &[], body.as_bytes());
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let answers = &operation["responses"]["200"]["content"];
        if let Some(schema) = answers["application/json"].get("schema") {
            assert!(fits(&document, schema, &parsed(&answer)), "{path}: {}", answer.text());
        }
        if content.is_null() {
            continue;
        }
        assert!(fits(&document, &content["schema"], &content["example"]), "{path}");
        let answer = server.client().ask(&method, &place, &[], b"[");
        let refusal = document
            .pointer(
                operation["responses"]["4XX"]["$ref"].as_str().unwrap().trim_start_matches('#'),
            )
            .unwrap();
        let schema = &refusal["content"]["application/json"]["schema"];
        assert!((400..500).contains(&answer.status), "{path}");
        assert!(fits(&document, schema, &parsed(&answer)), "{path}: {}", answer.text());
    }
}

/// The model's own names and numbers are in it.
#[test]
fn the_model_is_described() {
    let server = Running::with(|options| {
        options.strict_model = true;
        options.limits.batch = 7;
    });
    let document = parsed(&server.get("/openapi.json"));
    let schemas = &document["components"]["schemas"];
    assert_eq!(schemas["Dimensions"]["maximum"], 8);
    assert_eq!(schemas["PromptName"]["enum"], json!(["query", "document", null]));
    assert_eq!(
        schemas["InputType"]["enum"],
        json!(["search_query", "search_document", "query", "document", null])
    );
    assert_eq!(schemas["Texts"]["oneOf"][1]["maxItems"], 7);
    assert_eq!(schemas["Model"]["enum"], json!(["fake-1", null]));
}

/// All that the sources route to is in it, but for what is refused or is the page's.
#[test]
fn every_route_is_described() {
    const OTHERS: [&str; 10] = [
        "/models",
        "/models/{id}",
        "/v1/completions",
        "/v1/chat/completions",
        "/api/generate",
        "/api/chat",
        "/openapi.json",
        "/api-doc/openapi.json",
        "/page.css",
        "/page.js",
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/routes");
    let mut routed = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let source = fs::read_to_string(entry.unwrap().path()).unwrap();
        let calls = source.split(".route(\"").skip(1);
        routed.extend(calls.map(|call| call.split('"').next().unwrap().to_owned()));
    }
    routed.retain(|path| !OTHERS.contains(&path.as_str()));
    let server = Running::new();
    let document = parsed(&server.get("/openapi.json"));
    let described: BTreeSet<String> =
        document["paths"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(routed, described);
}
