//! The page at `/`, as far as no browser is needed.

use super::*;

const BROWSER: &[&str] = &["Accept: text/html,application/xhtml+xml,*/*;q=0.8"];

#[test]
fn browsers_get_a_page_and_others_a_line() {
    let server = Running::with(|options| options.keys.set(vec!["k".to_owned()]));
    let page = server.client().ask("GET", "/", BROWSER, &[]);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(page.header("vary"), Some("accept"));
    let line = server.get("/");
    assert_eq!(line.header("vary"), Some("accept"));
    assert_eq!(line.text(), "monomorph 0.0.0 serves fake-1: POST /v1/embeddings\n");
    // All that it loads is there, and nothing else may be loaded.
    for (file, kind) in [("page.css", "text/css"), ("page.js", "text/javascript")] {
        assert!(page.text().contains(&format!("\"{file}\"")));
        let answer = server.get(&format!("/{file}"));
        assert_eq!(answer.status, 200);
        assert!(answer.header("content-type").unwrap().starts_with(kind));
        assert!(
            answer.header("content-security-policy").unwrap().starts_with("default-src 'none'")
        );
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }
    for forbidden in ["<style", "style=", "onclick", "<script>", "http:", "https:"] {
        assert!(!page.text().contains(forbidden), "{forbidden}");
    }
}

#[test]
fn a_server_can_be_without_a_page() {
    let server = Running::with(|options| options.page = false);
    let answer = server.client().ask("GET", "/", BROWSER, &[]);
    assert!(answer.text().starts_with("monomorph "));
    assert_eq!(server.get("/page.js").status, 404);
}
