// The page: forms, lists, tables and the address. The address (#word=cat) says what is shown, so that links and the
// Back button work.

const source = openSource();
const element = id => document.getElementById(id);
const PAGE_ROWS = 50;        // rows of a table
const SUGGESTIONS = 12;
const MOST_FAILURES = 30;    // requests for a better map that may fail in a row, for example while the computer sleeps
const POLL = 2000;           // milliseconds between requests for a better map
const METHODS = {
  PCA: "PCA shows the two main directions only. Words can be close by chance.",
  other: "Words close together usually have similar vectors. Distances between groups mean little.",
};
const roomy = matchMedia("(min-width: 60rem)");   // as in style.css
let models = [], maps = [], turn = 0, shownRows = [];

// Words are text of unknown direction and are never inserted as HTML.
function isolated(word) {
  const node = document.createElement("bdi");
  node.textContent = shown(word);
  node.dir = "auto";
  return node;
}

function make(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

const address = fields => `#${new URLSearchParams(fields)}`;
const link = word => make("a", { href: address({ word }) }, isolated(word));

function go(fields) {
  const hash = address(fields);
  if (location.hash === hash) update(); else location.hash = hash;
}

function readAddress() {
  const fields = new URLSearchParams(location.hash.slice(1));
  if (fields.has("word")) return { word: fields.get("word"), positive: [fields.get("word")], negative: [] };
  const [a, b, c] = ["a", "b", "c"].map(name => fields.get(name));
  return a === null || b === null || c === null ? null : { analogy: [a, b, c], positive: [b, c], negative: [a] };
}

// Ask one model. A word that it does not know as it is typed is tried without spaces around it and in lower case.
async function ask(number, { positive, negative }, n) {
  const { index } = models[number];
  const forms = [word => word, word => word.trim(), word => word.trim().toLowerCase()];
  const known = word => index.has(word) ? word : forms.map(form => form(word)).find(form => index.has(form));
  // The server also knows words that are not on the map, so there a word is first asked for as it is typed.
  const moreWords = source.points && models[number].n_words > models[number].words.length;
  let first = null, before = null;
  for (const form of [...(moreWords ? forms.slice(0, 1) : []), word => known(word) ?? word, ...forms]) {
    const [more, less] = [positive, negative].map(words => words.map(word => index.has(word) ? word : form(word)));
    const tried = JSON.stringify([more, less]);
    if (tried === before) continue;
    before = tried;
    try {
      return { positive: more, negative: less, words: await source.query(number, more, less, n) };
    } catch (error) {
      first ??= error.message;
    }
  }
  return { error: first };
}

async function update() {
  const mine = ++turn, query = readAddress();
  element("error").textContent = "";
  element("status").textContent = "";
  element("word").value = query?.word ?? "";
  ["a", "b", "c"].forEach((id, i) => { element(id).value = query?.analogy?.[i] ?? ""; });
  if (!query) {
    element("results").hidden = true;
    shownRows = [];
    document.title = models.map(model => model.name).join(" and ");
    maps.forEach(map => map.light([], []));
    return;
  }
  const waiting = setTimeout(() => { if (mine === turn) element("status").textContent = "Searching …"; }, 300);
  const n = Number(element("number").value);
  const answers = await Promise.all(models.map((_, number) => ask(number, query, n)));
  clearTimeout(waiting);
  if (mine !== turn) return;   // another search has started
  showAnswers(query, answers);
}

function showAnswers(query, answers) {
  const good = answers.filter(answer => !answer.error), heading = element("heading");
  element("status").textContent = "";
  if (!good.length) {
    document.title = models.map(model => model.name).join(" and ");
    element("error").textContent = answers[0].error;
    element("results").hidden = true;
    shownRows = [];
    maps.forEach(map => map.light([], []));
    return;
  }
  const { positive, negative } = good[0], focused = element("results").contains(document.activeElement);
  if (query.analogy) {
    heading.replaceChildren(isolated(negative[0]), " is to ", isolated(positive[0]), " as ", isolated(positive[1]), " is to …");
  } else {
    heading.replaceChildren("Neighbours of ", isolated(positive[0]));
  }
  document.title = `${shown(query.analogy ? query.analogy.join(" ") : positive[0])} - ${models.map(m => m.name).join(" and ")}`;
  const sets = answers.map(answer => new Set((answer.words ?? []).map(([word]) => word)));
  const asked = answer => JSON.stringify([answer.positive, answer.negative]);
  const comparable = good.length === 2 && asked(good[0]) === asked(good[1]);
  element("lists").replaceChildren(...answers.map((answer, number) => {
    const column = make("div");
    if (models.length > 1) column.append(make("h3", {}, models[number].name));
    if (answer.error) { column.append(make("p", { className: "quiet" }, answer.error)); return column; }
    if (asked(answer) !== asked(good[0])) {   // this model knows the word in another case only
      column.append(make("p", { className: "quiet" }, "For ", ...[...answer.positive, ...answer.negative].flatMap((word, i) => i ? [", ", isolated(word)] : [isolated(word)])));
    }
    const list = make("ol");
    list.append(...answer.words.map(([word, cosine]) => {
      const item = make("li", {}, make("span", {}, link(word)), make("span", { className: "number" }, cosine.toFixed(3)));
      if (comparable && !sets[1 - number].has(word)) {
        const mark = make("span", { className: "only", title: "only in this list" }, " ◆");
        mark.setAttribute("aria-hidden", "true");
        item.firstChild.append(mark, make("span", { className: "hidden" }, " (only in this list)"));
      }
      return item;
    }));
    if (models.length > 1) list.setAttribute("aria-label", models[number].name);
    column.append(list);
    return column;
  }));
  shownRows = answers.flatMap((answer, number) => (answer.words ?? []).map(([word, cosine], i) =>
    [models[number].name, query.analogy ? query.analogy.join(" ") : answer.positive[0], i + 1, word, cosine]));
  element("key").hidden = !comparable;
  element("results").hidden = false;
  const some = good[0].words.slice(0, 3).map(([word]) => quoted(word)).join(", ");
  element("status").textContent = some ? `${grouped(good[0].words.length)} ${good[0].words.length === 1 ? "word" : "words"}: ${some}${good[0].words.length > 3 ? " …" : ""}` : "There are no other words.";
  if (focused) heading.focus();   // the link that had the focus is gone
  answers.forEach((answer, number) =>
    maps[number].light(answer.error ? [] : [...answer.positive, ...answer.negative], (answer.words ?? []).map(([word]) => word)));
}

// A table in pages, with a field to filter its rows by their words.
function createTable(holder, label, columns, rows) {
  const filter = make("input", { type: "search", placeholder: "Filter", dir: "auto", spellcheck: false });
  filter.setAttribute("aria-label", `Filter: ${label}`);
  const body = make("tbody"), place = make("span", { className: "quiet" });
  place.setAttribute("role", "status");
  const back = make("button", { type: "button" }, "Previous"), next = make("button", { type: "button" }, "Next");
  const head = make("tr", {}, ...columns.map(({ name, number }) => make("th", { scope: "col", className: number ? "number" : "" }, name)));
  let chosen = null, first = 0;   // chosen: numbers of the rows that pass the filter
  const draw = () => {
    const total = chosen ? chosen.length : rows.length;
    first = Math.max(Math.min(first, total - 1), 0);
    const last = Math.min(first + PAGE_ROWS, total), shownNow = [];
    for (let k = first; k < last; k++) {
      const i = chosen ? chosen[k] : k;
      shownNow.push(make("tr", {}, ...columns.map(({ value, number }) => make("td", { className: number ? "number" : "" }, value(i)))));
    }
    body.replaceChildren(...shownNow);
    place.textContent = total ? `${grouped(first + 1)} to ${grouped(last)} of ${grouped(total)}` : "no such word";
    back.disabled = first === 0;
    next.disabled = last >= total;
  };
  filter.addEventListener("input", () => {
    const wanted = filter.value.trim().toLowerCase();
    chosen = null;
    if (wanted) {
      chosen = [];
      for (let i = 0; i < rows.length; i++) if (rows.word(i).toLowerCase().includes(wanted)) chosen.push(i);
    }
    first = 0;
    draw();
  });
  const turnPage = by => () => { first += by * PAGE_ROWS; draw(); };
  back.addEventListener("click", turnPage(-1));
  next.addEventListener("click", turnPage(1));
  const table = make("table", {}, make("thead", {}, head), body);
  table.setAttribute("aria-label", label);
  holder.replaceChildren(filter, table, make("div", { className: "row" }, back, next, place));
  draw();
}

function showFrequencyTable(number) {
  const { words, counts } = models[number];
  const order = Uint32Array.from(words.keys());   // the file need not be sorted by frequency
  if (counts) order.sort((i, j) => counts[j] - counts[i] || i - j);
  const columns = [{ name: "Rank", number: true, value: k => grouped(k + 1) }, { name: "Word", value: k => link(words[order[k]]) }];
  if (counts) columns.push({ name: "Count", number: true, value: k => grouped(counts[order[k]]) });
  createTable(element("frequency").querySelector(".pages"), "Words by frequency", columns,
    { length: words.length, word: k => words[order[k]] });
}

function showMovedTable({ compared, words }) {
  element("moved").hidden = false;
  element("moved").open = roomy.matches;
  element("compared").textContent = words.length && words[0][1] === null
    ? `${grouped(compared)} common words were compared by their nearest neighbours. Their vectors cannot be compared directly.`
    : `${grouped(compared)} common words were compared after a rotation of the second model. ` +
      "Words with a low cosine are used differently in the two models, or their vectors are uncertain.";
  const part = x => x === null ? "–" : x.toFixed(2);
  createTable(element("moved").querySelector(".pages"), "Words that moved most", [
    { name: "Word", value: i => link(words[i][0]) },
    { name: "Cosine", number: true, value: i => part(words[i][1]) },
    { name: "Common neighbours", number: true, value: i => `${Math.round(100 * words[i][2])}%` },
  ], { length: words.length, word: i => words[i][0] });
}

function createFigure(model, number) {
  const canvas = make("canvas", { tabIndex: 0 }), tip = make("div", { className: "tip", hidden: true });
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", `Map of ${grouped(model.words.length)} words of ${model.name}. Arrow keys move it, plus and minus zoom, 0 shows all of it.`);
  const legend = make("div", { className: "legend" }), method = make("div", { className: "quiet" });
  method.setAttribute("role", "status");
  const caption = make("figcaption", {}, ...(models.length > 1 ? [make("b", {}, model.name)] : []), legend, method);
  element("figures").append(make("figure", {}, make("div", { className: "canvas" }, canvas, tip), caption));
  const map = createMap(model, canvas, tip, word => go({ word }));
  const style = () => getComputedStyle(document.documentElement);
  map.drawLegend = colouring => {
    map.colourBy(colouring);
    map.highlight(-1);
    if (colouring === "count") {
      const colours = style().getPropertyValue("--ramp").trim().split(/\s+/);
      const bar = make("span", { className: "ramp" });
      bar.style.background = `linear-gradient(to right, ${colours.join(",")})`;
      legend.replaceChildren("rare", bar, "frequent");
      return;
    }
    legend.replaceChildren(...model.cluster_words.map((words, i) => {
      const swatch = make("span", { className: "swatch" });
      swatch.style.background = style().getPropertyValue("--colours").trim().split(/\s+/)[i % 12];
      const button = make("button", { type: "button" }, swatch, make("span", {}, ...words.flatMap((word, k) => k ? [", ", isolated(word)] : [isolated(word)])));
      button.setAttribute("aria-pressed", "false");
      button.addEventListener("click", () => {
        const on = button.getAttribute("aria-pressed") === "true";
        for (const other of legend.children) other.setAttribute("aria-pressed", "false");
        button.setAttribute("aria-pressed", String(!on));
        map.highlight(on ? -1 : i);
      });
      return button;
    }));
  };
  map.drawMethod = () => {
    method.textContent = (METHODS[model.method] ?? `${model.method}. ${METHODS.other}`) +
      (model.pending ? ` A better map (${model.pending}) is being computed …` : "");
  };
  map.figure = canvas.closest("figure");
  map.drawLegend("cluster");
  map.drawMethod();
  if (model.pending && source.points) waitForPoints(model, number, map);
  return map;
}

// Ask for the map that the server computes in the background until it is there.
function waitForPoints(model, number, map, failures = 0) {
  setTimeout(async () => {
    try {
      const answer = await source.points(number);
      const changed = answer.method !== model.method;
      Object.assign(model, { method: answer.method, pending: answer.pending });
      if (changed) map.setPoints(answer.points);
      if (answer.pending) waitForPoints(model, number, map);
    } catch (error) {
      if (failures < MOST_FAILURES) waitForPoints(model, number, map, failures + 1); else model.pending = null;
    }
    map.drawMethod();
  }, POLL);
}

function save(blob, name) {
  const url = URL.createObjectURL(blob);
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}

function csv() {
  const field = value => /[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
  const rows = [["model", "query", "rank", "word", "cosine"], ...shownRows];
  return rows.map(row => row.map(value => field(typeof value === "number" && !Number.isInteger(value) ? value.toFixed(4) : String(value))).join(",") + "\r\n").join("");
}

async function copy() {
  const text = models.map((model, number) => [...(models.length > 1 ? [model.name] : []),
    ...shownRows.filter(row => row[0] === models[number].name).map(row => `${row[3]}\t${row[4].toFixed(4)}`)].join("\n")).join("\n\n");
  try {
    await navigator.clipboard.writeText(text);
    element("status").textContent = "The list was copied.";
  } catch {
    element("error").textContent = "The browser did not allow to copy. Use “Save CSV” instead.";
  }
}

function listen() {
  const word = element("word");
  element("search").addEventListener("submit", event => {
    event.preventDefault();
    if (word.value.trim() || word.value) go({ word: word.value }); else clear();
    element("suggestions").replaceChildren();
  });
  word.addEventListener("input", () => {
    const text = word.value.trim();
    element("suggestions").replaceChildren(...(text ? startingWith(models, text, SUGGESTIONS) : []).map(found => make("option", { value: found })));
  });
  element("analogy").addEventListener("submit", event => {
    event.preventDefault();
    const missing = ["a", "b", "c"].find(id => !element(id).value);
    if (missing) {
      element("error").textContent = "An analogy needs three words.";
      element(missing).focus();
      return;
    }
    go({ a: element("a").value, b: element("b").value, c: element("c").value });
  });
  element("number").addEventListener("change", update);
  element("copy").addEventListener("click", copy);
  element("csv").addEventListener("click", () => save(new Blob(["\ufeff", csv()], { type: "text/csv;charset=utf-8" }), "neighbours.csv"));
  const visible = () => maps.filter(map => !map.figure.hidden);
  element("in").addEventListener("click", () => visible().forEach(map => map.zoom(1.5)));
  element("out").addEventListener("click", () => visible().forEach(map => map.zoom(1 / 1.5)));
  element("all").addEventListener("click", () => visible().forEach(map => map.showAll()));
  element("png").addEventListener("click", async () => {
    for (const map of visible()) save(await map.picture(), "map.png");
  });
  element("colours").addEventListener("change", event => maps.forEach(map => map.drawLegend(event.target.value)));
  element("which").addEventListener("change", showMaps);
  document.addEventListener("keydown", event => { if (event.key === "Escape" && !event.defaultPrevented && !event.target.closest?.(".pages")) clear(); });
  window.addEventListener("hashchange", update);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => maps.forEach(map => map.drawLegend(element("colours").value)));
}

function clear() {
  element("suggestions").replaceChildren();
  if (location.hash) location.hash = ""; else update();
}

function showMaps() {
  const which = element("which").value;
  maps.forEach((map, number) => { map.figure.hidden = which !== "both" && which !== String(number); });
  showFrequencyTable(which === "both" ? 0 : Number(which));
}

async function start() {
  element("status").textContent = "Loading …";
  let moved;
  try {
    ({ models, moved } = await source.models());
  } catch (error) {
    element("status").textContent = "";
    element("error").textContent = error.message;
    return;
  }
  element("status").textContent = "";
  document.body.classList.toggle("two", models.length > 1);
  element("about").textContent = models.map(({ name, n_words, dimensions, words }) =>
    `${name}: ${grouped(n_words)} words, ${dimensions} dimensions` +
    (words.length < n_words ? `, ${grouped(words.length)} on the map` : "")).join("; ");
  if (models.every(model => model.counts)) element("colours").append(new Option("by count", "count"));
  element("which").append(...models.map((model, number) => new Option(model.name, number)));
  if (models.length > 1) {
    element("whichlabel").hidden = false;
    element("which").append(new Option("both", "both"));
    if (window.innerWidth >= 1200) element("which").value = "both";
  }
  element("frequency").open = roomy.matches;
  maps = models.map(createFigure);
  showMaps();
  if (moved) showMovedTable(moved);
  listen();
  await update();
  document.documentElement.dataset.ready = "yes";
}

start();
