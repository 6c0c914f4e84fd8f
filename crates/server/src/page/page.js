// Asks the server that it came from, and no other. Whatever is shown is text, never markup; a key is kept in its field.
"use strict";

const element = (id) => document.getElementById(id);
const base = new URL(".", location.href).href.replace(/\/$/, "");

function add(parent, name, text, className) {
  const child = document.createElement(name);
  if (text !== undefined) child.textContent = text;
  if (className) child.className = className;
  parent.append(child);
  return child;
}

function say(text, isBad) {
  element("said").textContent = text;
  element("said").classList.toggle("bad", Boolean(isBad));
}

/** The answer's JSON and its head; throws what the server says is wrong. */
async function ask(path, body) {
  const key = element("key").value.trim();
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  const asked = body === undefined ? { headers } : { method: "POST", headers, body: JSON.stringify(body) };
  const answer = await fetch(`${base}/${path}`, asked);
  const json = await answer.json();
  if (answer.ok) return { json, headers: answer.headers };
  if (answer.status === 401) element("with-key").hidden = false;
  throw new Error(json.error?.message ?? json.error ?? `status ${answer.status}`);
}

function showScores(texts, scores) {
  const list = element("scores");
  list.replaceChildren();
  const order = texts.map((text, i) => ({ text, score: scores[i] })).sort((a, b) => b.score - a.score);
  for (const { text, score } of order) {
    const item = add(list, "li");
    add(item, "span", text);
    add(item, "span", score.toFixed(3), "score");
    const bar = add(item, "progress");
    bar.max = 1;
    bar.value = Math.max(0, score);
    bar.setAttribute("aria-label", `similarity ${score.toFixed(3)}`);
  }
}

/** What the answer's head says of its making. */
function timing(headers) {
  const times = (headers.get("server-timing") ?? "").split(", ").map((part) => part.split(";dur="));
  const words = { tokenization: "tokenizing", queue: "waiting", inference: "computing" };
  const named = times.filter(([name]) => words[name]).map(([name, ms]) => `${words[name]} ${Number(ms).toFixed(1)} ms`);
  return [`${headers.get("x-compute-tokens")} tokens`, ...named].join(" · ");
}

async function compare(event) {
  event?.preventDefault();
  const query = element("query").value;
  const texts = element("texts").value.split("\n").filter((line) => line.trim());
  if (!texts.length) return say("There are no texts to compare with.", true);
  const retrieval = !element("with-prompts").hidden && element("prompts").checked;
  const inputs = { source_sentence: query, sentences: texts };
  try {
    const { json, headers } = await ask("similarity", { inputs, parameters: { retrieval } });
    showScores(texts, json);
    say(timing(headers));
    if (!element("model").childElementCount) await describe();
  } catch (error) {
    element("scores").replaceChildren();
    say(error.message, true);
  }
}

async function describe() {
  const { json: info } = await ask("info");
  element("facts").textContent =
    `${info.model_id}, ${info.model_dtype}, ${info.dimensions} dimensions, ${info.isa}, ${info.threads} threads`;
  const names = Object.keys(info.prompts);
  element("with-prompts").hidden = !(names.includes("query") && names.includes("document"));
  const facts = {
    "Name": info.model_id,
    "Weights": `${info.model_dtype}, fingerprint ${info.fingerprint}`,
    "Vectors": `${info.dimensions} dimensions, pooling ${Object.values(info.model_type)[0].pooling}`,
    "Longest text": `${info.max_input_length} tokens`,
    "Texts of a request": `${info.max_client_batch_size}`,
    "Prompts": names.map((name) => `${name}: ${JSON.stringify(info.prompts[name])}`).join("\n") || "none",
    "Version": info.version,
  };
  element("model").replaceChildren();
  for (const [name, value] of Object.entries(facts)) {
    add(element("model"), "dt", name);
    add(element("model"), "dd", value);
  }
}

function showCommands() {
  const commands = {
    "OpenAI": ["v1/embeddings", { input: ["Mars is red.", "Venus is hot."], model: "any" }],
    "Text Embeddings Inference": ["embed", { inputs: ["Mars is red.", "Venus is hot."] }],
    "Ollama": ["api/embed", { model: "any", input: ["Mars is red.", "Venus is hot."] }],
    "llama-server": ["embedding", { content: "Mars is red." }],
  };
  for (const [name, [path, body]] of Object.entries(commands)) {
    const box = add(element("commands"), "div", undefined, "command");
    add(box, "h3", name);
    const text = `curl ${base}/${path} -d '${JSON.stringify(body)}'`;
    const button = add(box, "button", "Copy");
    add(box, "pre", text);
    button.type = "button";
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    });
    // Pages that did not come safely, by https or from this machine, have no clipboard.
    button.hidden = !navigator.clipboard;
  }
}

element("try").addEventListener("submit", compare);
showCommands();
// A first 401 is no news: it asks for the key.
describe().then(() => compare(), (error) => say(error.message, true));
