// Embeds the case's texts with OpenAI's client for Node, one by one and all at once, and compares the vectors with the
// case's, bit for bit.
//
//     node clients.mjs FOLDER_OF_THE_PACKAGE URL CASE.json
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [folder, url, caseFile] = process.argv.slice(2);
const require = createRequire(`${folder}/`);
const { default: OpenAI } = require(folder);
const { texts, vectors, query, query_vectors: queryVectors } = JSON.parse(readFileSync(caseFile, "utf8"));
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "any" });

const bits = (vector) => new Uint32Array(Float32Array.from(vector).buffer);

async function embed(options) {
  const answer = await client.embeddings.create({ model: "any", ...options });
  return answer.data.map((item) => item.embedding);
}

function same(found, expected) {
  assert.equal(found.length, expected.length);
  found.forEach((vector, i) => assert.deepEqual(bits(vector), bits(expected[i])));
}

async function all() {
  same(await embed({ input: texts }), vectors);
  same(await embed({ input: texts, encoding_format: "float" }), vectors);
  if (query) same(await embed({ input: texts, prompt_name: query }), queryVectors);
  for (const [i, text] of texts.entries()) same(await embed({ input: text }), [vectors[i]]);
  await assert.rejects(embed({ input: [1, 2, 3] }), { status: 400, code: "token_ids_not_accepted" });
}

await all();
await Promise.all(Array.from({ length: 16 }, all));
console.log(`npm's openai ${require("./package.json").version}: the same bits, alone and all at once`);
