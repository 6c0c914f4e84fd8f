// Ranks the amendments to the constitution of the United States by their cosines with what is typed.

import { cosine, loadInWorker } from "../monomorph.js";

const input = document.querySelector("input");
const [status] = document.getElementsByTagName("output");
const list = document.querySelector("ol");

try {
    const progress = (done, total) => (status.value = `Loading: ${Math.round((100 * done) / total)} %`);
    const [model, rows] = await Promise.all([loadInWorker("../model.bin", { progress }), amendments()]);
    const start = performance.now();
    const passages = await model.embed(rows.map((row) => row.text));
    const seconds = ((performance.now() - start) / 1000).toFixed(2);
    status.value = `${rows.length} texts embedded in ${seconds} s by ${model.name}`;
    input.disabled = false;

    let latest = 0;
    const search = async () => {
        const turn = ++latest;
        const query = await model.embed(input.value);
        // A later letter may have asked again.
        if (turn === latest) show(rows.map((row, i) => ({ ...row, score: cosine(query, passages[i]) })));
    };
    input.addEventListener("input", search);
    document.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
    await search();
} catch (error) {
    status.value = error.message;
}

async function amendments() {
    const lines = (await (await fetch("amendments.jsonl")).text()).trim().split("\n");
    return lines.map((line) => JSON.parse(line));
}

function show(rows) {
    rows.sort((a, b) => b.score - a.score);
    list.replaceChildren(
        ...rows.slice(0, 5).map(({ id, text, score }) => {
            const item = document.createElement("li");
            const small = document.createElement("small");
            small.textContent = ` ${score.toFixed(3)}`;
            item.append(`${id}: ${text}`, small);
            return item;
        }),
    );
}
