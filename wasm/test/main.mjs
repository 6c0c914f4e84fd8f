// Runs a test program of Rust that was compiled to WebAssembly: node main.mjs FILE. It has no standard output, so that
// its end tells whether a test failed, which is a trap, and its memory how many ran: the line that it wrote to nowhere
// is still there.

import { readFile } from "node:fs/promises";

const { instance } = await WebAssembly.instantiate(await readFile(process.argv[2]), {});
const status = instance.exports.main(0, 0);
if (status !== 0) throw new Error(`the tests ended with ${status}`);
const memory = Buffer.from(instance.exports.memory.buffer).toString("latin1");
const [result, passed] = memory.match(/(\d+) passed; \d+ failed; \d+ ignored/) ?? [];
if (!(Number(passed) > 0)) throw new Error(`no test ran: ${result ?? "their result is not in memory"}`);
console.log(result);
