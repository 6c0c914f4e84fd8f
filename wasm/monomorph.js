// An embedding model in WebAssembly: load(weights), then model.embed(texts, options). Options and types are described
// in monomorph.d.ts.

const MODULE = new URL("monomorph.wasm", import.meta.url);

export async function load(weights, { wasm = MODULE, progress, ...options } = {}) {
    const exports = await instantiate(wasm);
    const model = new Model(exports);
    if (weights !== undefined && weights !== null) await fill(model, weights, progress);
    model.open(options);
    return model;
}

class Model {
    #wasm;
    // Why the module cannot be called any more.
    #stopped;

    constructor(wasm) {
        this.#wasm = wasm;
        wasm.start();
    }

    // One vector, a Float32Array, for each text.
    async embed(texts, options = {}) {
        const one = typeof texts === "string";
        const list = one ? [texts] : Array.from(texts, String);
        this.#send(options, list);
        const answer = this.#call("embed");
        if (list.length === 0) return [];
        const all = new Float32Array(answer.buffer);
        const length = all.length / list.length;
        const vectors = list.map((_, i) => all.subarray(i * length, (i + 1) * length));
        return one ? vectors[0] : vectors;
    }

    // Room for weights in the module's memory, from byte `at` on: memory that grows moves.
    reserve(length) {
        const at = this.#guarded(() => this.#wasm.weights(length)) >>> 0;
        if (at === 0) throw new Error(`no memory for ${length} bytes of weights`);
        return (offset) => new Uint8Array(this.#wasm.memory.buffer, at + offset, length - offset);
    }

    open(options) {
        this.#send(options, []);
        this.#call("open");
        // A value may be empty.
        const lines = new TextDecoder().decode(this.#call("describe")).split("\n").filter(Boolean);
        const { prompts, ...about } = Object.fromEntries(lines.map((line) => line.split("\t")));
        Object.assign(this, about, {
            dimensions: Number(about.dimensions),
            contextTokens: Number(about.contextTokens),
            prompts: prompts.split(" ").filter(Boolean),
        });
    }

    #send(options, texts) {
        const encoder = new TextEncoder();
        const given = Object.entries(options).filter(([, value]) => value !== undefined && value !== null);
        const set = given.map(([name, value]) => `${name}=${value}`);
        const strings = [...set, ...texts].map((text) => encoder.encode(text));
        const header = Uint32Array.of(set.length, texts.length);
        const lengths = Uint32Array.from(strings, (string) => string.length);
        const length = header.byteLength + lengths.byteLength + lengths.reduce((sum, n) => sum + n, 0);
        let at = this.#guarded(() => this.#wasm.request(length)) >>> 0;
        const memory = new Uint8Array(this.#wasm.memory.buffer);
        for (const part of [new Uint8Array(header.buffer), new Uint8Array(lengths.buffer), ...strings]) {
            memory.set(part, at);
            at += part.length;
        }
    }

    // Calls an export that leaves an answer, of which this returns a copy.
    #call(name) {
        if (this.#guarded(() => this.#wasm[name]()) !== 0) throw new Error(this.#message());
        const at = this.#wasm.answer() >>> 0;
        return new Uint8Array(this.#wasm.memory.buffer.slice(at, at + this.#wasm.answer_len()));
    }

    // A panic, or too little memory, ends the module with a trap. What it had locked stays locked: later calls would
    // trap for that reason, and throw the first one instead.
    #guarded(act) {
        if (this.#stopped) throw this.#stopped;
        try {
            return act();
        } catch (trap) {
            const reason = this.#message() || "it ran out of memory, or this is a bug";
            this.#stopped = new Error(`monomorph's module stopped: ${reason}. Load the model again.`, { cause: trap });
            throw this.#stopped;
        }
    }

    #message() {
        const at = this.#wasm.message() >>> 0;
        return new TextDecoder().decode(this.#wasm.memory.buffer.slice(at, at + this.#wasm.message_len()));
    }
}

async function instantiate(wasm) {
    if (wasm instanceof WebAssembly.Module) return (await WebAssembly.instantiate(wasm, {})).exports;
    if (isBytes(wasm)) return (await WebAssembly.instantiate(wasm, {})).instance.exports;
    const response = await fetched(wasm);
    // Servers that do not know the type get the slower way.
    const streams = response.headers.get("content-type")?.startsWith("application/wasm");
    const result = streams
        ? await WebAssembly.instantiateStreaming(response, {})
        : await WebAssembly.instantiate(await response.arrayBuffer(), {});
    return result.instance.exports;
}

// Writes weights into the module's memory, a piece at a time where they are fetched.
async function fill(model, weights, progress) {
    if (isBytes(weights)) {
        const bytes = ArrayBuffer.isView(weights)
            ? new Uint8Array(weights.buffer, weights.byteOffset, weights.byteLength)
            : new Uint8Array(weights);
        model.reserve(bytes.length)(0).set(bytes);
        return;
    }
    const response = weights instanceof Response ? weights : await fetched(weights);
    const length = Number(response.headers.get("content-length"));
    // The length of what is sent is not that of the weights if it is compressed. What another origin sends may be: CORS
    // shows its Content-Length, but not its Content-Encoding.
    const compressed = response.type === "cors" || response.headers.get("content-encoding");
    if (!length || compressed) return fill(model, await response.arrayBuffer(), progress);
    const room = model.reserve(length);
    let done = 0;
    for await (const piece of pieces(response.body)) {
        if (done + piece.length > length) throw new Error(`more than the announced ${length} bytes of weights`);
        room(done).set(piece);
        done += piece.length;
        progress?.(done, length);
    }
    if (done < length) throw new Error(`${done} of ${length} bytes of weights were received`);
}

async function* pieces(stream) {
    const reader = stream.getReader();
    try {
        for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) yield value;
    } finally {
        // Otherwise the rest would still be sent after a failure.
        await reader.cancel();
    }
}

// What a relative URL means where the caller is.
function absolute(where) {
    return new URL(where, globalThis.document?.baseURI ?? globalThis.location?.href ?? import.meta.url);
}

async function fetched(where) {
    const url = absolute(where);
    if (url.protocol === "file:" && globalThis.process?.versions?.node) return ofFile(url);
    const response = await fetch(url);
    if (!response.ok) throw new Error(`${url}: ${response.status} ${response.statusText}`);
    return response;
}

// Node's fetch reads no files.
async function ofFile(url) {
    const [{ createReadStream }, { stat }, { Readable }] = await Promise.all(
        ["node:fs", "node:fs/promises", "node:stream"].map((name) => import(name)),
    );
    const { size } = await stat(url);
    const type = url.pathname.endsWith(".wasm") ? "application/wasm" : "application/octet-stream";
    return new Response(Readable.toWeb(createReadStream(url, { highWaterMark: 1 << 20 })), {
        headers: { "content-length": size, "content-type": type },
    });
}

function isBytes(value) {
    return value instanceof ArrayBuffer || ArrayBuffer.isView(value);
}

// The same in a Worker, so that a page stays responsive. `weights` and `wasm` are URLs or bytes.
export async function loadInWorker(weights, { wasm, progress, ...options } = {}) {
    const model = new RemoteModel(new Worker(new URL("worker.js", import.meta.url), { type: "module" }), progress);
    // The Worker has another base, and cannot be sent a URL as an object.
    const sent = (where) => (typeof where === "string" || where instanceof URL ? absolute(where).href : where);
    try {
        Object.assign(model, await model.ask({ load: [sent(weights), { wasm: sent(wasm), ...options }] }));
    } catch (error) {
        model.close();
        throw error;
    }
    return model;
}

const CLOSED = "the model was closed";

class RemoteModel {
    #worker;
    #waiting = new Map();
    #next = 0;
    #closed = false;

    constructor(worker, progress) {
        this.#worker = worker;
        worker.onmessage = ({ data: { id, result, error, done, total } }) => {
            if (id === undefined) return progress?.(done, total);
            const asked = this.#waiting.get(id);
            // After #fail nobody waits for an answer.
            if (!asked) return;
            this.#waiting.delete(id);
            error === undefined ? asked.resolve(result) : asked.reject(new Error(error));
        };
        worker.onerror = (event) => {
            event.preventDefault();
            this.#fail(event.message || "the worker did not start");
        };
    }

    async ask(question) {
        if (this.#closed) throw new Error(CLOSED);
        const id = this.#next++;
        // Throws if the question holds what cannot be sent.
        this.#worker.postMessage({ id, ...question });
        return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    }

    async embed(texts, options = {}) {
        return this.ask({ embed: [typeof texts === "string" ? texts : Array.from(texts, String), options] });
    }

    // Ends the worker and frees its memory.
    close() {
        this.#closed = true;
        this.#worker.terminate();
        this.#fail(CLOSED);
    }

    #fail(message) {
        for (const { reject } of this.#waiting.values()) reject(new Error(message));
        this.#waiting.clear();
    }
}

// The cosine of two vectors.
export function cosine(a, b) {
    let [product, aa, bb] = [0, 0, 0];
    for (let i = 0; i < a.length; i++) {
        product += a[i] * b[i];
        aa += a[i] * a[i];
        bb += b[i] * b[i];
    }
    return product / Math.sqrt(aa * bb);
}
