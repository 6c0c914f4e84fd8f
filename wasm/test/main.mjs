// Runs a test program of Rust that was compiled to WebAssembly: node main.mjs FILE. It has no standard output, so that
// only its end tells whether its tests passed: a failure is a trap.

import { readFile } from "node:fs/promises";

const { instance } = await WebAssembly.instantiate(await readFile(process.argv[2]), {});
const status = instance.exports.main(0, 0);
if (status !== 0) throw new Error(`the tests ended with ${status}`);
