//! The page at `/`, in a headless Chromium.

use super::environment::say;
use super::*;

/// What the page shows at first: its own texts, the most similar first, and nothing in the console.
#[test]
fn a_browser_shows_the_page() {
    let server = Server::start(&[]);
    let folder = Folder::new("serve-page");
    let mut chromium = Command::new("chromium");
    chromium.args(["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"]);
    chromium.arg(format!("--user-data-dir={}", folder.argument("chromium")));
    // Until the answers are there.
    chromium.args([
        "--virtual-time-budget=20000",
        "--dump-dom",
        &format!("http://{}/", server.host),
    ]);
    let Ok(output) = chromium.output() else {
        return say("SKIPPED: the page of serve: there is no chromium");
    };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(!said.contains("CONSOLE"), "{said}");
    let page = String::from_utf8_lossy(&output.stdout);
    let after = |mark: &str| page.split(mark).nth(1).expect(mark).to_owned();
    let until = |text: String, mark: &str| text.split(mark).next().expect(mark).to_owned();
    let list = until(after("<ol id=\"scores\">"), "</ol>");
    let scores: Vec<f32> = list
        .split("<span class=\"score\">")
        .skip(1)
        .map(|rest| until(rest.to_owned(), "</span>").parse().expect("a score"))
        .collect();
    assert!(scores.len() == 4 && scores.is_sorted_by(|a, b| a >= b), "{list}");
    assert_eq!(list.matches("<progress ").count(), 4);
    if monomorph::built::IS_DEFAULT_MODEL {
        assert!(list.trim_start().starts_with("<li><span>Mars, "), "{list}");
    }
    let told = until(after("<p id=\"said\""), "</p>");
    assert!(told.contains(" tokens · ") && told.contains("computing "), "{told}");
    let facts = until(after("<p id=\"facts\">"), "</p>");
    assert!(facts.contains(" dimensions, "), "{facts}");
    assert_eq!(page.matches("curl http://127.0.0.1:").count(), 4);
}
