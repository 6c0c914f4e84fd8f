//! Who may ask: keys, and for browsers the host and the origin.

use crate::app::App;
use crate::failure::Failure;
use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};
use subtle::{Choice, ConstantTimeEq};
use tower_http::cors::{Any, CorsLayer};

/// Routes that are read without a key: what balancers and orchestrators ask, and what tells nothing that is secret.
const OPEN: [&str; 11] = [
    "/",
    "/api-doc/openapi.json",
    "/health",
    "/livez",
    "/metrics",
    "/openapi.json",
    "/page.css",
    "/page.js",
    "/ping",
    "/ready",
    "/readyz",
];

/// gRPC services that need no key: health, and reflection, which only describes the methods.
const OPEN_SERVICES: [&str; 3] = [
    "/grpc.health.v1.Health/",
    "/grpc.reflection.v1.ServerReflection/",
    "/grpc.reflection.v1alpha.ServerReflection/",
];

/// The keys of which a client must have one. They can be replaced while the server runs.
#[derive(Clone, Default)]
pub struct Keys(Arc<RwLock<Vec<String>>>);

impl Keys {
    /// Replaces all keys; with none, everybody is served.
    pub fn set(&self, keys: Vec<String>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = keys;
    }

    /// The keys of a text, one a line; empty lines and lines that begin with `#` are none.
    pub fn parse(text: &str) -> Vec<String> {
        let lines = text.lines().map(str::trim);
        lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
    }

    /// Whether everybody is served.
    pub fn is_empty(&self) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Whether this is one of them. It takes the same time wherever they differ.
    fn has(&self, given: &[u8]) -> bool {
        let keys = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let found =
            keys.iter().fold(Choice::from(0), |found, key| found | key.as_bytes().ct_eq(given));
        found.into()
    }
}

impl std::fmt::Debug for Keys {
    /// Not the keys.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys")
    }
}

/// Refuses a request that may not be served.
pub fn check(app: &App, request: &Request) -> Result<(), Failure> {
    let (uri, headers) = (request.uri(), request.headers());
    let host = uri.host().or_else(|| headers.get(HOST).and_then(|host| host.to_str().ok()));
    if app.on_loopback {
        check_host(host.unwrap_or_default(), &app.options.allowed_hosts)?;
    }
    check_origin(host.unwrap_or_default(), headers, &app.options.cors_origins)?;
    let is_read = request.method() == Method::GET || request.method() == Method::HEAD;
    let is_open = is_read && OPEN.contains(&uri.path());
    match is_open || OPEN_SERVICES.iter().any(|service| uri.path().starts_with(service)) {
        true => Ok(()),
        false => check_key(&app.options.keys, headers),
    }
}

fn check_key(keys: &Keys, headers: &HeaderMap) -> Result<(), Failure> {
    if keys.is_empty() {
        return Ok(());
    }
    let given = headers.get(AUTHORIZATION).map(|value| value.as_bytes()).unwrap_or_default();
    let scheme = given.get(..7).unwrap_or_default();
    let key = given.get(7..).unwrap_or_default().trim_ascii();
    match scheme.eq_ignore_ascii_case(b"bearer ") && keys.has(key) {
        true => Ok(()),
        false => Err(Failure::Key),
    }
}

/// A page could have its own name resolved to 127.0.0.1, and so read the answers of a server on loopback. The name that
/// it asks under gives it away.
fn check_host(host: &str, allowed: &[String]) -> Result<(), Failure> {
    let name = name_of(host);
    let is_local = name.is_empty()
        || name == "localhost"
        || name.ends_with(".localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    match is_local || allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(&name)) {
        true => Ok(()),
        false => Err(Failure::Forbidden(
            "this server is asked under the name of another host; --allow-host allows one"
                .to_owned(),
        )),
    }
}

/// A page of another origin could not read the answer, but its request would be computed.
fn check_origin(host: &str, headers: &HeaderMap, allowed: &[String]) -> Result<(), Failure> {
    let text = |name: &HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("null"));
    let origin = text(&ORIGIN);
    let is_allowed = |origin: &str| allowed.iter().any(|one| one == "*" || one == origin);
    let is_own = |origin: &str| origin.split_once("://").is_some_and(|(_, own)| own == host);
    let refused = match origin {
        Some(origin) => !is_own(origin) && !is_allowed(origin),
        None => text(&HeaderName::from_static("sec-fetch-site")) == Some("cross-site"),
    };
    match refused {
        true => Err(Failure::Forbidden(
            "pages of other origins are not served; --cors-origin allows one".to_owned(),
        )),
        false => Ok(()),
    }
}

/// What pages of these origins may do.
pub fn cors(origins: &[String]) -> CorsLayer {
    let layer = CorsLayer::new()
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([AUTHORIZATION, CONTENT_TYPE]);
    match origins.iter().any(|origin| origin == "*") {
        true => layer.allow_origin(Any),
        false => layer.allow_origin(
            origins.iter().filter_map(|origin| origin.parse().ok()).collect::<Vec<HeaderValue>>(),
        ),
    }
}

/// A host without its port, in lower case.
fn name_of(host: &str) -> String {
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_lines() {
        let keys = Keys::default();
        assert!(keys.is_empty());
        keys.set(Keys::parse("# of the team\n\n  one \ntwo\n"));
        assert!(keys.has(b"one") && keys.has(b"two"));
        for wrong in ["", "on", "one ", "ONE", "# of the team"] {
            assert!(!keys.has(wrong.as_bytes()), "{wrong}");
        }
        assert_eq!(format!("{keys:?}"), "Keys");
    }

    #[test]
    fn only_bearers_of_a_key_pass() {
        let keys = Keys::default();
        keys.set(vec!["k1".to_owned()]);
        let with = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, value.parse().unwrap());
            check_key(&keys, &headers)
        };
        assert_eq!(with("Bearer k1"), Ok(()));
        assert_eq!(with("bearer  k1"), Ok(()));
        for wrong in ["Bearer k2", "Bearer", "Bearer ", "k1", "Basic k1", "Bearer None"] {
            assert_eq!(with(wrong), Err(Failure::Key), "{wrong}");
        }
        assert_eq!(check_key(&keys, &HeaderMap::new()), Err(Failure::Key));
        assert_eq!(check_key(&Keys::default(), &HeaderMap::new()), Ok(()));
    }

    #[test]
    fn a_server_on_loopback_is_asked_under_loopback_names() {
        let allowed = ["box.lan".to_owned()];
        for good in [
            "localhost",
            "LocalHost:8080",
            "a.localhost:1",
            "127.0.0.1",
            "127.9.9.9:80",
            "[::1]:80",
            "box.lan:1",
            "",
        ] {
            assert_eq!(check_host(good, &allowed), Ok(()), "{good}");
        }
        for bad in
            ["example.org", "localhost.example.org:80", "10.0.0.1", "[::2]", "127.0.0.1.nip.io"]
        {
            assert!(check_host(bad, &allowed).is_err(), "{bad}");
        }
    }

    #[test]
    fn pages_of_other_origins_are_refused() {
        let with = |pairs: &[(&'static str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(HeaderName::from_static(name), value.parse().unwrap());
            }
            check_origin("localhost:8080", &headers, &["https://app.example".to_owned()]).is_ok()
        };
        assert!(with(&[]));
        assert!(with(&[("origin", "http://localhost:8080")]));
        assert!(with(&[("origin", "https://app.example"), ("sec-fetch-site", "cross-site")]));
        assert!(with(&[("sec-fetch-site", "same-origin")]));
        assert!(!with(&[("origin", "http://localhost:3000")]));
        assert!(!with(&[("origin", "null")]));
        assert!(!with(&[("sec-fetch-site", "cross-site")]));
    }
}
