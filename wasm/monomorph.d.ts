/** How to load a model. */
export interface LoadOptions {
    /** The module; by default `monomorph.wasm` beside `monomorph.js`. */
    wasm?: string | URL | ArrayBuffer | ArrayBufferView | WebAssembly.Module;
    /**
     * Is told how many bytes of the weights have arrived. It is not called where their length is not known beforehand:
     * if they are compressed, without a Content-Length, or from another origin. Bytes have arrived already.
     */
    progress?: (done: number, total: number) => void;
    /**
     * Repack weights that are blocks once, when they are loaded, which takes as much memory again; default `true`.
     * Packed weights are panels already, unless they were packed with `--blocks`.
     */
    keepPanels?: boolean;
    /**
     * `wasm` (the default), or one that gives the bits of `monomorph embed`: `wasm-fused`, several times slower, or
     * `scalar`, slower yet.
     */
    isa?: "wasm" | "wasm-fused" | "scalar";
}

/** How to embed texts, as the options of `monomorph embed`. */
export interface EmbedOptions {
    /** A prompt of the model by its name, one of `Model.prompts`. */
    prompt?: string;
    /** Text to put before each text, after the prompt. */
    prefix?: string;
    /** Keep only the first so many values of each vector. */
    dimensions?: number;
    /** Scale vectors to length one; default `true`. */
    normalize?: boolean;
    /** What to do with texts that are longer than the context; default `end`, which cuts their end. */
    truncate?: "end" | "start" | "none";
    /** The Unicode normalisation form to bring texts to first. */
    unicode?: "none" | "nfc" | "nfkc";
}

/** An open model. */
export interface Model {
    /** Its name. */
    readonly name: string;
    /** Values of a vector. */
    readonly dimensions: number;
    /** The longest text in tokens. */
    readonly contextTokens: number;
    /** The instruction set in use. */
    readonly isa: string;
    /** The names of its prompts. */
    readonly prompts: string[];
    /** The vector of a text. */
    embed(text: string, options?: EmbedOptions): Promise<Float32Array>;
    /** The vectors of texts, in order. Those of one call are views of one buffer. */
    embed(texts: Iterable<string>, options?: EmbedOptions): Promise<Float32Array[]>;
}

/** A model in a Worker. */
export interface RemoteModel extends Model {
    /** Ends the Worker and frees its memory. Calls that wait for an answer are rejected, and so are all later ones. */
    close(): void;
}

/** Weights: a packed file (`monomorph pack`) or the GGUF file, by its URL, as a `Response`, or its bytes. */
export type Weights = string | URL | Response | ArrayBuffer | ArrayBufferView;

/** Loads a model. Without weights, they must be inside the module. */
export function load(weights?: Weights | null, options?: LoadOptions): Promise<Model>;

/** Loads a model in a Worker (browsers only), so that the page stays responsive. A failure ends the Worker. */
export function loadInWorker(
    weights?: Exclude<Weights, Response> | null,
    options?: LoadOptions,
): Promise<RemoteModel>;

/** The cosine of two vectors. */
export function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number;
