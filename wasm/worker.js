// Runs a model for `loadInWorker` of monomorph.js.

import { load } from "./monomorph.js";

let model;

self.onmessage = async ({ data: { id, ...question } }) => {
    try {
        self.postMessage({ id, result: await answer(question) });
    } catch (error) {
        self.postMessage({ id, error: error.message });
    }
};

async function answer(question) {
    if (question.load) {
        const [weights, options] = question.load;
        model = await load(weights, { ...options, progress: (done, total) => self.postMessage({ done, total }) });
        // Its data, without its methods.
        return { ...model };
    }
    return model.embed(...question.embed);
}
