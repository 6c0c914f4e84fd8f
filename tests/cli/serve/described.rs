//! Whether the server does what its OpenAPI document says, asked at random by schemathesis.

use super::environment::{is_asked_for, python, say};
use super::*;

#[test]
fn the_server_does_what_it_says() {
    if !is_asked_for(&[]) {
        return;
    }
    let python = match python("schemathesis-venv", &["schemathesis"]) {
        Ok(python) => python,
        Err(reason) => return say(&format!("SKIPPED: no Python with the packages: {reason}")),
    };
    let server = Server::start(&[]);
    let folder = Folder::new("schemathesis");
    let url = format!("http://{}/openapi.json", server.host);
    let examples = std::env::var("MONOMORPH_SCHEMA_EXAMPLES").unwrap_or_else(|_| "30".to_owned());
    let ran = Command::new(python.with_file_name("schemathesis"))
        .args(["run", &url, "--checks", "all", "--seed", "1", "--no-color"])
        .args(["--max-examples", &examples])
        .current_dir(folder.path(""))
        .output()
        .expect("schemathesis starts");
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}\n{}", String::from_utf8_lossy(&ran.stderr));
    say(said
        .lines()
        .rev()
        .take(12)
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
        .collect::<Vec<_>>()
        .join("\n")
        .trim());
}
