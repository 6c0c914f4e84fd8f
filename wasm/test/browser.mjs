// The example page in a browser without a window: node browser.mjs PACKAGE WEIGHTS TEXTS.jsonl. Its first answer, and
// the one after another question is typed, must be what is expected. $CHROMIUM names the browser.

import { spawn } from "node:child_process";
import { readFile, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";

const [folder, weights, texts] = process.argv.slice(2);
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".wasm": "application/wasm" };

// Runs in the page: tells what it shows, types, and tells again.
const probe = `<script type="module">
    const tell = (what) => fetch("/told", { method: "POST", body: JSON.stringify(what) });
    const shown = () => [...document.querySelectorAll("li")].map((item) => item.textContent);
    const until = async (ready) => {
        while (!ready()) await new Promise((wake) => setTimeout(wake, 20));
    };
    addEventListener("error", (event) => tell({ error: event.message }));
    const [status] = document.getElementsByTagName("output");
    const input = document.querySelector("input");
    await until(() => shown().length > 0 || (input.disabled && !/^Loading/.test(status.value)));
    const first = shown();
    if (first.length === 0) await tell({ error: status.value });
    input.value = "Who may vote?";
    input.dispatchEvent(new Event("input"));
    await until(() => shown()[0] !== first[0]);
    await tell({ status: status.value, first, second: shown() });
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
const limit = new Promise((_, fail) => {
    setTimeout(() => fail(new Error("the page did not answer in 120 s")), 120_000).unref();
});
try {
    const { status, first, second, error } = await Promise.race([told, limit]);
    if (error) throw new Error(error);
    console.log(`${status}\n${first[0]}\n${second[0]}`);
    if (!first[0].startsWith("III: ")) throw new Error("the third amendment was expected first");
    if (!/vote/.test(second[0])) throw new Error("an amendment about votes was expected then");
} finally {
    const gone = new Promise((ended) => browser.once("exit", ended));
    browser.kill();
    await gone;
    server.closeAllConnections();
    server.close();
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
}
