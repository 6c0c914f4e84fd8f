// What monomorph.js promises: node --test api.mjs, with the package in $PACKAGE and the packed weights in $WEIGHTS.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { setFlagsFromString } from "node:v8";

const { load, cosine } = await import(pathToFileURL(`${process.env.PACKAGE}/monomorph.js`));
const weights = await readFile(process.env.WEIGHTS);
const wasm = await WebAssembly.compile(await readFile(`${process.env.PACKAGE}/monomorph.wasm`));

test("a model says what it is", async () => {
    const model = await load(weights, { wasm });
    assert.equal(model.isa, "wasm");
    assert.ok(model.name.length > 0 && model.contextTokens > 1);
    assert.ok(model.prompts.includes("document"));
    assert.equal((await model.embed("Mars is red.")).length, model.dimensions);
});

test("weights come by URL, as a Response or as bytes, at any place", async () => {
    const text = "Mars is red.";
    const url = pathToFileURL(process.env.WEIGHTS);
    const parts = [];
    const byUrl = await load(url, { wasm, progress: (done, total) => parts.push([done, total]) });
    assert.deepEqual(parts.at(-1), [weights.length, weights.length]);
    const want = await byUrl.embed(text);
    const moved = new Uint8Array(weights.length + 3).subarray(3);
    moved.set(weights);
    for (const other of [weights, moved, new Response(weights), Uint8Array.from(weights).buffer]) {
        assert.deepEqual(await (await load(other, { wasm })).embed(text), want);
    }
});

test("options do what those of the command line do", async () => {
    const model = await load(weights, { wasm });
    const [plain, prompted] = [await model.embed("a"), await model.embed("a", { prompt: "document" })];
    assert.notDeepEqual(plain, prompted);
    assert.ok(Math.abs(cosine(plain, plain) - 1) < 1e-6);
    const short = await model.embed("a", { dimensions: 16, normalize: false });
    assert.equal(short.length, 16);
    assert.deepEqual(await model.embed([]), []);
    const many = await model.embed(["a", "", "b".repeat(50)]);
    assert.deepEqual(many[0], plain);
    assert.equal(many.length, 3);
});

test("what is wrong is said, and the model stays usable", async () => {
    const model = await load(weights, { wasm });
    const want = await model.embed("a");
    for (const [options, message] of [
        [{ prompt: "nonsense" }, /unknown prompt "nonsense"; known: /],
        [{ dimensions: 0 }, /0 dimensions requested/],
        [{ dimensions: "many" }, /option dimensions: "many"/],
        [{ truncat: "none" }, /unknown option "truncat"/],
    ]) {
        await assert.rejects(model.embed("a", options), { message });
    }
    const long = "long words, ".repeat(2 * model.contextTokens);
    const refused = { message: /text 2: .*more than the context/ };
    await assert.rejects(model.embed(["a", long], { truncate: "none" }), refused);
    assert.deepEqual(await model.embed("a"), want);
});

test("weights that do not fit are refused", async () => {
    const cut = new Response(weights.subarray(0, 1000), { headers: { "content-length": weights.length } });
    for (const [given, message, isa] of [
        [undefined, /not inside this module/],
        [weights.subarray(0, -1), /the given bytes: it has .* bytes instead of/],
        [Buffer.from("<html>not found</html>"), /the given bytes: /],
        [cut, /1000 of \d+ bytes of weights were received/],
        [weights, /instruction set "avx2" is not available here/, "avx2"],
    ]) {
        await assert.rejects(load(given, { wasm, isa }), { message });
    }
});

test("after a trap every call says why it came", async () => {
    // 32 MiB of memory for modules from here on.
    setFlagsFromString("--wasm-max-mem-pages=512");
    const model = await load(weights, { wasm });
    await assert.rejects(model.embed("a", { truncat: "none" }), { message: /unknown option/ });
    const stopped = { message: /module stopped: it ran out of memory, or this is a bug. Load the model again/ };
    await assert.rejects(model.embed("a".repeat(64 << 20)), stopped);
    await assert.rejects(model.embed("a"), stopped);
});
