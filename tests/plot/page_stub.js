// Runs a word map with a document and a canvas of just what the page uses, and prints what it draws.
const fs = require("fs");
const page = fs.readFileSync(process.argv[2], "utf8");
const scripts = [...page.matchAll(/<script[^>]*>([\s\S]*?)<\/script>/g)].map(match => match[1]);
let drawn = { dots: [], labels: [] };
const pen = {
  setTransform() {}, fill() {}, beginPath() {}, clearRect() { drawn = { dots: [], labels: [] }; },
  arc(x, y, radius) { drawn.dots.push([x, y, radius]); }, strokeText() {},
  measureText(text) { return { width: 7 * text.length }; },
  fillText(text, x, y) { drawn.labels.push({ text, box: [x, y - 6.5, x + 7 * text.length, y + 6.5], colour: pen.fillStyle }); },
};
const listeners = {};
function element(id) {
  return { id, textContent: "", value: "", hidden: false, children: [], append(...more) { this.children.push(...more); },
    replaceChildren(...these) { this.children = these; }, getContext: () => pen, setPointerCapture() {},
    addEventListener(name, action) { listeners[id + " " + name] = action; } };
}
const elements = {};
globalThis.document = { documentElement: {}, createElement: element,
  getElementById: id => elements[id] ??= element(id) };
globalThis.window = { innerWidth: 1200, innerHeight: 800, matchMedia: () => element("media"),
  addEventListener(name, action) { listeners["window " + name] = action; } };
globalThis.getComputedStyle = () => ({ getPropertyValue: name => name });
globalThis.Option = function (text) { this.text = text; };
document.getElementById("data").textContent = scripts[0];
new Function(scripts[1])();
const shots = { start: drawn, note: elements.note.textContent, title: document.title };
const word = process.argv[3];
elements.search.value = word;
listeners["search input"]();
shots.found = drawn;
shots.panel = elements.panel.children.map(child => child.textContent);
elements.search.value = "not there at all";
listeners["search input"]();
shots.missing = elements.note.textContent;
listeners["whole click"]();
listeners["map wheel"]({ deltaY: -1000, clientX: 600, clientY: 400, preventDefault() {} });
shots.zoomed = drawn;
listeners["whole click"]();
const [x, y] = drawn.dots.find(([, , radius]) => radius === 2.5);
listeners["map pointermove"]({ clientX: x, clientY: y, pointerId: 1 });
shots.hovered = elements.panel.children.map(child => child.textContent);
listeners["map pointerdown"]({ clientX: 10, clientY: 10, pointerId: 1 });
listeners["map pointermove"]({ clientX: 110, clientY: 60, pointerId: 1 });
shots.dragged = drawn.dots;
console.log(JSON.stringify(shots));
