//! Texts from a Redis stream: whatever happens to the worker, every text has its vector in the end.

use super::*;

#[test]
fn a_worker_that_is_killed_loses_no_text() {
    if !is_asked_for(&["redis-server"]) {
        return;
    }
    let python = match python("deploy-venv", &PACKAGES) {
        Ok(python) => python,
        Err(reason) => return say(&format!("SKIPPED: no Python with the packages: {reason}")),
    };
    let folder = Folder::new("queue");
    let port = free_port();
    let mut command = Command::new("redis-server");
    command.args([
        "--bind",
        "127.0.0.1",
        "--port",
        &port,
        "--save",
        "",
        "--dir",
        &folder.argument(""),
    ]);
    let _redis = Running::start(command.stdout(Stdio::null()));
    wait_for(&format!("127.0.0.1:{port}"));
    // A batch of sixteen texts has more tokens.
    let server = Server::start(&["--max-request-tokens", "100"]);
    let script =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/cli/serve/deploy/fill_queue.py");
    let (redis, url) = (format!("redis://127.0.0.1:{port}"), format!("http://{}", server.host));
    let ran = Command::new(python)
        .arg(script)
        .arg(example("queue_worker.py"))
        .args([&redis, &url])
        .output()
        .expect("Python");
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}\n{}", String::from_utf8_lossy(&ran.stderr));
    say(said.trim());
}
