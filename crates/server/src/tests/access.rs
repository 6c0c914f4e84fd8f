//! Keys, hosts and origins.

use super::*;

const BODY: &[u8] = br#"{"input": "a"}"#;

#[test]
fn keys_open_everything_but_health() {
    let server = Running::with(|options| options.keys.set(vec!["k1".to_owned(), "k2".to_owned()]));
    let with = |headers: &[&str]| server.client().ask("POST", "/v1/embeddings", headers, BODY);
    let answer = with(&[]);
    assert_eq!(answer.status, 401);
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    let error = &parsed(&answer)["error"];
    assert_eq!(
        (&error["type"], &error["code"]),
        (&"authentication_error".into(), &"invalid_api_key".into())
    );
    assert_eq!(with(&["Authorization: Bearer k3"]).status, 401);
    assert_eq!(with(&["Authorization: Bearer k2"]).status, 200);
    for path in ["/health", "/livez", "/ready", "/readyz", "/metrics"] {
        assert_eq!(server.get(path).status, 200, "{path}");
    }
    for path in ["/v1/models", "/nothing"] {
        assert_eq!(server.get(path).status, 401, "{path}");
    }
    assert_eq!(server.post("/", "{}").status, 401);
}

#[test]
fn keys_are_replaced_while_the_server_runs() {
    let keys = crate::Keys::default();
    keys.set(vec!["old".to_owned()]);
    let shared = keys.clone();
    let server = Running::with(|options| options.keys = shared);
    let mut client = server.client();
    let mut status = |key: &str| {
        let header = format!("Authorization: Bearer {key}");
        client.ask("POST", "/v1/embeddings", &[&header], BODY).status
    };
    assert_eq!((status("old"), status("new")), (200, 401));
    keys.set(vec!["new".to_owned()]);
    assert_eq!((status("old"), status("new")), (401, 200));
}

#[test]
fn a_page_cannot_use_the_server_in_secret() {
    let server = Running::with(|options| {
        options.allowed_hosts.push("box.lan".to_owned());
        options.cors_origins.push("https://app.example".to_owned());
    });
    let with =
        |headers: &[&str]| server.client().ask("POST", "/v1/embeddings", headers, BODY).status;
    assert_eq!(with(&["Host: evil.example"]), 403);
    assert_eq!(with(&["Host: localhost:1"]), 200);
    assert_eq!(with(&["Host: box.lan"]), 200);
    assert_eq!(with(&["Host: localhost", "Origin: https://evil.example"]), 403);
    assert_eq!(with(&["Host: localhost", "Origin: http://localhost"]), 200);
    assert_eq!(with(&["Sec-Fetch-Site: cross-site"]), 403);
    assert_eq!(with(&["Origin: https://app.example"]), 200);
    let preflight = ["Origin: https://app.example", "Access-Control-Request-Method: POST"];
    let answer = server.client().ask("OPTIONS", "/v1/embeddings", &preflight, &[]);
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://app.example"));
    assert!(answer.header("access-control-allow-headers").unwrap().contains("authorization"));
}
