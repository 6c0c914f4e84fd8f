// Embeds texts as `monomorph embed --format raw` does: node vectors.mjs PACKAGE ISA TEXTS.jsonl OUTPUT [WEIGHTS]

import { readFile, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, isa, texts, output, weights] = process.argv.slice(2);
const url = (path) => path && pathToFileURL(resolve(path));
const { load } = await import(url(`${folder}/monomorph.js`));
const start = performance.now();
const model = await load(url(weights), { isa });
const loaded = performance.now();
const lines = (await readFile(texts, "utf8")).trim().split("\n");
const vectors = await model.embed(lines.map((line) => JSON.parse(line).text));
const [load_ms, embed_ms] = [loaded - start, performance.now() - loaded].map(Math.round);
const bytes = ({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength);
await writeFile(output, Buffer.concat(vectors.map(bytes)));
console.log(`${model.name}, ${model.isa}: loaded in ${load_ms} ms, ${vectors.length} texts in ${embed_ms} ms`);
