// Compares files of float32 that may differ by a bound: node bound.mjs WANT GOT BOUND

import { readFile } from "node:fs/promises";

const [want, got, bound] = process.argv.slice(2);
const floats = async (path) => {
    const { buffer, byteOffset, length } = await readFile(path);
    return new Float32Array(buffer.slice(byteOffset, byteOffset + length));
};
const [a, b] = [await floats(want), await floats(got)];
let most = a.length === b.length && a.length > 0 ? 0 : Infinity;
// NaN is no small difference.
for (let i = 0; i < a.length; i++) most = Math.abs(a[i] - b[i]) <= most ? most : Math.abs(a[i] - b[i]);
console.log(`${a.length} values differ by at most ${most.toExponential(1)}`);
if (!(most <= Number(bound))) throw new Error(`more than ${bound}`);
if (most === 0) throw new Error("nothing differs, so that both were rounded alike");
