// The example page in a browser without a window: node browser.mjs PACKAGE WEIGHTS TEXTS.jsonl. Its first answer, and
// the one after another question is typed, must be what is expected, and models in Workers must end when they should.
// $CHROMIUM names the browser.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFile, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";

const [folder, weights, texts] = process.argv.slice(2);
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".wasm": "application/wasm" };

// Runs in the page: sees what it shows, types, and sees it again, tries the end of models in Workers, and tells it all.
const probe = `<script type="module">
    import { loadInWorker } from "../monomorph.js";
    const tell = (what) => fetch("/told", { method: "POST", body: JSON.stringify(what) });
    const shown = () => [...document.querySelectorAll("li")].map((item) => item.textContent);
    const until = async (ready) => {
        while (!ready()) await new Promise((wake) => setTimeout(wake, 20));
    };
    addEventListener("error", (event) => tell({ error: event.message }));
    addEventListener("unhandledrejection", (event) => tell({ error: event.reason.message }));
    const [status] = document.getElementsByTagName("output");
    const input = document.querySelector("input");
    await until(() => shown().length > 0 || (input.disabled && !/^Loading/.test(status.value)));
    const first = shown();
    if (first.length === 0) await tell({ error: status.value });
    input.value = "Who may vote?";
    input.dispatchEvent(new Event("input"));
    await until(() => shown()[0] !== first[0]);
    const second = shown();

    let ended = 0;
    const terminate = Worker.prototype.terminate;
    Worker.prototype.terminate = function () {
        ended++;
        return terminate.call(this);
    };
    const failure = (promise) => promise.then(() => "it did not fail", (error) => error.message);
    const missing = await failure(loadInWorker("missing.bin"));
    const wrong = await failure(loadInWorker("amendments.jsonl"));
    const unsent = await failure(loadInWorker(new Response("")));
    const ended_of_failures = ended;
    const model = await loadInWorker("../model.bin");
    const unsent_option = await failure(model.embed("a", { prompt: () => "" }));
    const { length } = await model.embed("a");
    const waiting = failure(model.embed("a"));
    model.close();
    const closed = [await waiting, await failure(model.embed("a"))];
    const workers = { missing, wrong, unsent, ended_of_failures, unsent_option, length, closed, ended };
    await tell({ status: status.value, first, second, workers });
</script>`;

let tell;
const told = new Promise((resolve) => (tell = resolve));
const server = createServer(async (request, response) => {
    const path = new URL(request.url, "http://localhost").pathname;
    try {
        if (path === "/told") {
            let body = "";
            for await (const piece of request) body += piece;
            response.end();
            return tell(JSON.parse(body));
        }
        const places = { "/model.bin": weights, "/example/amendments.jsonl": texts };
        const content = await readFile(places[path] ?? join(folder, path.endsWith("/") ? `${path}index.html` : path));
        const more = path.endsWith("/") ? probe : "";
        response.setHeader("content-type", TYPES[more ? ".html" : extname(path)] ?? "application/octet-stream");
        response.setHeader("content-length", content.length + Buffer.byteLength(more));
        response.write(content);
        response.end(more);
    } catch {
        response.writeHead(404).end();
    }
});
await new Promise((ready) => server.listen(0, "127.0.0.1", ready));

const profile = await mkdtemp(join(tmpdir(), "monomorph-browser-"));
const url = `http://127.0.0.1:${server.address().port}/example/`;
const flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", `--user-data-dir=${profile}`];
const browser = spawn(process.env.CHROMIUM ?? "chromium", [...flags, url], { stdio: "ignore" });
const gone = new Promise((ended) => {
    browser.once("exit", (code, signal) => ended(`the browser ended: ${code ?? signal}`));
    browser.once("error", (error) => ended(`the browser did not start: ${error.message}`));
});
const early = gone.then((reason) => Promise.reject(new Error(reason)));
const limit = new Promise((_, fail) => {
    setTimeout(() => fail(new Error("the page did not answer in 120 s")), 120_000).unref();
});
try {
    const { status, first, second, workers, error } = await Promise.race([told, early, limit]);
    if (error) throw new Error(error);
    console.log(`${status}\n${first[0]}\n${second[0]}`);
    if (!first[0].startsWith("III: ")) throw new Error("the third amendment was expected first");
    if (!/vote/.test(second[0])) throw new Error("an amendment about votes was expected then");
    assert.match(workers.missing, /missing\.bin: 404/);
    assert.match(workers.wrong, /the given bytes: /);
    assert.match(workers.unsent, /could not be cloned/);
    assert.equal(workers.ended_of_failures, 3);
    assert.match(workers.unsent_option, /could not be cloned/);
    assert.ok(workers.length > 0);
    assert.deepEqual(workers.closed, ["the model was closed", "the model was closed"]);
    assert.equal(workers.ended, 4);
    console.log("models in Workers end when they fail to load and when they are closed");
} finally {
    browser.kill();
    await gone;
    server.closeAllConnections();
    server.close();
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
}
