"use strict";
// Where the data come from. A self-contained page contains the vectors and computes the answers. A served page asks
// the server, which knows the whole vocabulary. Both give the same three functions: models, query and points.

const WAIT = 15000;   // milliseconds after which a request has failed

function openSource() {
  const data = JSON.parse(document.getElementById("data").textContent);
  return data.served ? servedSource() : embeddedSource(data);
}

function bytes(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const raw = atob(text), out = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i);
  return out;
}

const floats = text => new Float32Array(bytes(text).buffer);

// Decode the arrays of a model, and number its words.
function decoded(model) {
  const index = new Map();
  model.words.forEach((word, i) => index.has(word) || index.set(word, i));
  return { ...model, index, points: floats(model.points), clusters: bytes(model.clusters) };
}

function embeddedSource(data) {
  const models = data.models.map(decoded);
  for (const model of models) {
    model.values = new Int8Array(bytes(model.values).buffer);
    model.scales = floats(model.scales);
  }
  return {
    models: async () => ({ models, moved: data.moved }),
    query: async (number, positive, negative, n) => nearest(models[number], positive, negative, n),
    points: null,
  };
}

// The n words whose vectors have the greatest cosine with the mean of the unit vectors of `positive`, and of
// `negative` with opposite signs. The given words are left out.
function nearest(model, positive, negative, n) {
  const { index, values, scales, words } = model, size = words.length, width = values.length / size;
  const rows = [...positive, ...negative].map(word => {
    if (!index.has(word)) throw new Error(unknown(model, word));
    return index.get(word);
  });
  const target = new Float64Array(width);
  rows.forEach((row, k) => {
    const weight = scales[row] * (k < positive.length ? 1 : -1);
    for (let j = 0; j < width; j++) target[j] += weight * values[row * width + j];
  });
  const length = Math.hypot(...target);
  if (!(length > 1e-6)) throw new Error("The query has no direction: its vectors are zero or add up to zero.");
  const query = Float32Array.from(target, x => x / length), cosines = new Float32Array(size);
  for (let i = 0, at = 0; i < size; i++) {
    let sum = 0;
    for (let j = 0; j < width; j++) sum += values[at++] * query[j];
    cosines[i] = sum * scales[i];
  }
  for (const row of rows) cosines[row] = -Infinity;
  // Only cosines above the smallest of the best so far are sorted in.
  const best = [];
  for (let i = 0; i < size; i++) {
    if (cosines[i] === -Infinity || (best.length === n && cosines[i] <= cosines[best[n - 1]])) continue;
    let low = 0, high = best.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (cosines[best[middle]] >= cosines[i]) low = middle + 1; else high = middle;
    }
    best.splice(low, 0, i);
    if (best.length > n) best.pop();
  }
  return best.map(i => [words[i], cosines[i]]);
}

function unknown(model, word) {
  let similar = [];
  for (let length = word.length; length > 1 && !similar.length; length--) {
    similar = startingWith([model], word.slice(0, length), 3);
  }
  const some = model.n_words > model.words.length ? ` It contains the first ${grouped(model.words.length)} words.` : "";
  const hint = similar.length ? ` Similar spellings: ${similar.map(quoted).join(", ")}.` : "";
  return `${quoted(word)} is not on this page.${some}${hint}`;
}

// Words that start with a text in any case, the most frequent first.
function startingWith(models, text, n) {
  const wanted = text.toLowerCase(), found = new Set();
  for (const { words } of models) {
    for (let i = 0; i < words.length && found.size < n; i++) {
      if (words[i].length >= wanted.length && words[i].slice(0, wanted.length).toLowerCase() === wanted) found.add(words[i]);
    }
  }
  return [...found];
}

function servedSource() {
  async function get(path, fields = {}) {
    const query = new URLSearchParams();
    for (const [name, values] of Object.entries(fields)) for (const value of [values].flat()) query.append(name, value);
    let answer, content;
    try {
      answer = await fetch(`${path}?${query}`, { signal: AbortSignal.timeout(WAIT) });
      content = await answer.json();
    } catch (error) {
      throw new Error(error.name === "TimeoutError"
        ? `The server has not answered in ${WAIT / 1000} seconds.`
        : "The server does not answer. Start fastw2v explore again and open the new address.");
    }
    if (!answer.ok) throw new Error(content.error);
    return content;
  }
  return {
    models: async () => {
      const { models, moved } = await get("models");
      return { models: models.map(decoded), moved };
    },
    query: async (model, positive, negative, n) => (await get("query", { model, positive, negative, n })).words,
    points: async model => {
      const answer = await get("points", { model });
      return { ...answer, points: floats(answer.points) };
    },
  };
}

// Control characters and characters that change the direction of the text around them have no visible form.
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

function shown(word) {
  if (word === "") return "(empty)";
  return word.replace(CONTROLS, c => c < " " ? String.fromCharCode(0x2400 + c.charCodeAt(0)) : "\ufffd");
}

const quoted = word => `“\u2068${shown(word)}\u2069”`;   // isolated, so that its direction affects no other text
const grouped = number => number.toLocaleString("en");
