// A map of points with labels on a canvas. All points are written into the pixels of an image, which is faster than
// WebGL in browsers that render in software, and works in all others.

const REACH = 12;          // pixels from the pointer within which a point is found
const LABEL_AREA = 9000;   // square pixels for each label on the whole map; half of that when zoomed in
const CANDIDATES = 2500;   // words that are tried as labels in one frame
const LONGEST = 30;        // characters of a label
const still = matchMedia("(prefers-reduced-motion: reduce)");

function createMap(model, canvas, tip, onPick) {
  const pen = canvas.getContext("2d", { alpha: false });
  const { words, counts } = model, n = words.length;
  const labels = new Array(n), widths = new Float32Array(n);
  const groups = { cluster: model.clusters, count: frequencyGroups(counts) };
  let places = model.points;              // x and y of each word in turn
  let view = { x: 0, y: 0, scale: 1 };    // coordinates in the middle, and pixels per unit
  let whole = view, width = 0, height = 0, ratio = 1;
  let image = null, pixels = null, font = "";
  let colouring = "cluster", palette = null;
  let lit = new Map(), cluster = -1, hovered = -1;   // lit: number of a word -> whether it is a word of the query
  let request = 0, moving = 0, arrive = null;

  function fit(indices) {
    let left = Infinity, right = -Infinity, low = Infinity, high = -Infinity;
    const include = i => {
      left = Math.min(left, places[2 * i]); right = Math.max(right, places[2 * i]);
      low = Math.min(low, places[2 * i + 1]); high = Math.max(high, places[2 * i + 1]);
    };
    if (indices) indices.forEach(include); else for (let i = 0; i < n; i++) include(i);
    const inner = size => Math.max(size - 48, size / 2);
    const scale = Math.min(inner(width) / Math.max(right - left, 1e-3), inner(height) / Math.max(high - low, 1e-3));
    return { x: (left + right) / 2, y: (low + high) / 2, scale };
  }

  function resize() {
    const box = canvas.getBoundingClientRect();
    if (!box.width || !box.height) return;
    const first = width === 0, atWhole = view.scale === whole.scale && view.x === whole.x && view.y === whole.y;
    ratio = window.devicePixelRatio || 1;
    width = box.width;
    height = box.height;
    canvas.width = Math.max(1, Math.round(width * ratio));
    canvas.height = Math.max(1, Math.round(height * ratio));
    image = pen.createImageData(canvas.width, canvas.height);
    pixels = new Uint32Array(image.data.buffer);
    font = getComputedStyle(document.body).fontFamily;
    const before = whole.scale;
    whole = fit(null);
    if (first || atWhole) view = { ...whole }; else view.scale *= whole.scale / before;
    if (first && lit.size) view = aroundLit();
    draw();
  }

  // Colours as numbers: of each group, and of the points that are not lit while others are.
  function readPalette() {
    const style = getComputedStyle(document.documentElement), read = name => style.getPropertyValue(name).trim();
    const parts = text => [1, 3, 5].map(i => parseInt(text.slice(i, i + 2), 16));
    const number = ([r, g, b]) => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
    const paper = parts(read("--paper"));
    const colours = read(colouring === "cluster" ? "--colours" : "--ramp").split(/\s+/).map(parts);
    const faint = colours.map(colour => colour.map((part, i) => Math.round(0.33 * part + 0.67 * paper[i])));
    palette = {
      paper: number(paper), colours: Uint32Array.from(colours, number), faint: Uint32Array.from(faint, number),
      css: { paper: read("--paper"), ink: read("--ink"), quiet: read("--quiet"), mark: read("--mark") },
    };
  }

  // Positions of the pixels of a round point, relative to its middle.
  function disc(size) {
    const offsets = [], half = (size - 1) / 2;
    for (let y = 0; y < size; y++) {
      for (let x = 0; x < size; x++) {
        if (size < 3 || (x - half) ** 2 + (y - half) ** 2 <= size * size / 4 - 0.3) {
          offsets.push((y - Math.floor(half)) * canvas.width + x - Math.floor(half));
        }
      }
    }
    return Int32Array.from(offsets);
  }

  function drawPoints() {
    const across = canvas.width, down = canvas.height, group = groups[colouring];
    const scale = view.scale * ratio, left = across / 2 - view.x * scale, top = down / 2 + view.y * scale;
    // Points grow slowly with the zoom. On the whole map, they are small enough that dense parts do not run together.
    const start = Math.min(Math.max(Math.sqrt(width * height / n / 4), 1.6), 5);
    const size = Math.round(Math.min(start * Math.max(view.scale / whole.scale, 1) ** 0.35, 7) * ratio);
    const offsets = disc(Math.max(size, 1)), count = offsets.length, margin = Math.ceil(size / 2);
    const { colours, faint } = palette, fade = lit.size > 0 || cluster >= 0;
    const solid = count > 6;   // small points are half transparent, which shows how dense a part is
    pixels.fill(palette.paper);
    for (let pass = fade ? 0 : 1; pass < 2; pass++) {   // faint points first
      for (let i = n - 1; i >= 0; i--) {                // frequent words last, on top of the others
        const x = (left + places[2 * i] * scale) | 0, y = (top - places[2 * i + 1] * scale) | 0;
        if (x < margin || y < margin || x >= across - margin || y >= down - margin) continue;
        const strong = !fade || (cluster >= 0 && model.clusters[i] === cluster);
        if (strong !== (pass === 1)) continue;
        const colour = (strong ? colours : faint)[group[i]], at = y * across + x;
        if (solid) {
          for (let k = 0; k < count; k++) pixels[at + offsets[k]] = colour;
        } else {
          const half = (colour >>> 1) & 0x7f7f7f7f;
          for (let k = 0; k < count; k++) {
            const p = at + offsets[k];
            pixels[p] = (((pixels[p] >>> 1) & 0x7f7f7f7f) + half) | 0xff000000;
          }
        }
      }
    }
    pen.putImageData(image, 0, 0);
  }

  const screen = i => [width / 2 + (places[2 * i] - view.x) * view.scale,
                       height / 2 - (places[2 * i + 1] - view.y) * view.scale];

  // The lit words get labels first, then the others in the order of the list. A label that would cover another one is
  // left out.
  function drawLabels() {
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.textBaseline = "middle";
    pen.lineJoin = "round";
    const boxes = [], zoom = Math.max(Math.log2(view.scale / whole.scale), 0);
    const most = Math.min(width * height / LABEL_AREA * (1 + Math.min(zoom / 3, 1)), 400);
    const size = 12, css = palette.css;
    pen.font = `${size}px ${font}`;
    const place = (i, colour, gap) => {
      const [x, y] = screen(i);
      if (x < 0 || y < 6 || x > width || y > height - 6) return false;
      labels[i] ??= short(words[i]);
      const wide = widths[i] ||= pen.measureText(labels[i]).width;
      const left = x + gap + wide + 2 < width ? x + gap : x - gap - wide;
      const box = [left - 3, y - 8, left + wide + 3, y + 8];
      for (const b of boxes) if (box[0] < b[2] && box[2] > b[0] && box[1] < b[3] && box[3] > b[1]) return false;
      boxes.push(box);
      pen.strokeText(labels[i], left, y);
      pen.fillStyle = colour;
      pen.fillText(labels[i], left, y);
      return true;
    };
    pen.strokeStyle = css.paper;
    for (const [i, main] of lit) {
      const [x, y] = screen(i);
      pen.fillStyle = css.mark;
      pen.beginPath();
      pen.arc(x, y, main ? 6 : 3.5, 0, 2 * Math.PI);
      pen.lineWidth = 2;
      pen.stroke();
      pen.fill();
    }
    pen.lineWidth = 3;
    const main = [...lit].filter(([, asked]) => asked), others = [...lit].filter(([, asked]) => !asked);
    for (const [i] of main) place(i, css.mark, 10);
    for (const [i] of others) place(i, css.mark, 6);
    let tried = 0, drawn = 0;
    const fade = lit.size > 0, dense = fade ? most / 3 : most;
    for (let i = 0; i < n && drawn < dense && tried < CANDIDATES; i++) {
      if (lit.has(i) || (cluster >= 0 && model.clusters[i] !== cluster)) continue;
      const x = width / 2 + (places[2 * i] - view.x) * view.scale;
      if (x < 0 || x > width) continue;
      const y = height / 2 - (places[2 * i + 1] - view.y) * view.scale;
      if (y < 0 || y > height) continue;
      tried++;
      if (place(i, fade ? css.quiet : css.ink, 5)) drawn++;
    }
    if (hovered >= 0) {
      const [x, y] = screen(hovered);
      pen.strokeStyle = css.ink;
      pen.lineWidth = 2;
      pen.beginPath();
      pen.arc(x, y, 6, 0, 2 * Math.PI);
      pen.stroke();
    }
    pen.setTransform(1, 0, 0, 1, 0, 0);
    canvas.dataset.labels = boxes.length;
  }

  function paint() {
    request = 0;
    if (!image) return;
    if (!palette) readPalette();
    drawPoints();
    drawLabels();
  }

  function draw() {
    request ||= requestAnimationFrame(paint);
  }

  // End a movement. Points that are on their way to a better map arrive at once.
  function stop() {
    cancelAnimationFrame(moving);
    arrive?.();
    arrive = null;
  }

  // Call `step` with numbers from 0 to 1 in successive frames, or once with 1 if the reader prefers no motion.
  function animate(milliseconds, step) {
    stop();
    if (still.matches) { step(1); draw(); return; }
    const start = performance.now();
    const next = now => {
      const t = Math.min(Math.max((now - start) / milliseconds, 0), 1);
      step(t * t * (3 - 2 * t));
      draw();
      if (t < 1) moving = requestAnimationFrame(next);
    };
    moving = requestAnimationFrame(next);
  }

  function moveTo(target) {
    const from = { ...view }, growth = Math.log(target.scale / from.scale);
    animate(450, t => {
      const scale = t === 1 ? target.scale : from.scale * Math.exp(growth * t);
      view = { x: from.x + (target.x - from.x) * t, y: from.y + (target.y - from.y) * t, scale };
    });
  }

  const limited = scale => Math.min(Math.max(scale, whole.scale / 2), whole.scale * 3000);

  function zoom(factor, x = width / 2, y = height / 2) {
    stop();
    const scale = limited(view.scale * factor);
    view = {
      x: view.x + (x - width / 2) * (1 / view.scale - 1 / scale),
      y: view.y - (y - height / 2) * (1 / view.scale - 1 / scale), scale,
    };
    draw();
  }

  function pan(x, y) {
    stop();
    view = { ...view, x: view.x - x / view.scale, y: view.y + y / view.scale };
    draw();
  }

  function pointAt(x, y) {
    let best = -1, distance = REACH ** 2;
    const px = view.x + (x - width / 2) / view.scale, py = view.y - (y - height / 2) / view.scale;
    for (let i = 0; i < n; i++) {
      const d = ((places[2 * i] - px) ** 2 + (places[2 * i + 1] - py) ** 2) * view.scale ** 2;
      // Of two points at the same place, the more frequent word is found. Lit words win within the same reach.
      if (d < distance) { best = i; distance = d; }
    }
    for (const i of lit.keys()) {
      const [a, b] = screen(i);
      if ((a - x) ** 2 + (b - y) ** 2 < 64) return i;
    }
    return best;
  }

  function hover(i, x, y) {
    if (i !== hovered) { hovered = i; draw(); }
    canvas.classList.toggle("over", i >= 0);
    tip.hidden = i < 0;
    if (i < 0) return;
    tip.replaceChildren(isolated(words[i]));
    if (counts) tip.append(` ${grouped(counts[i])}`);
    const left = Math.min(x + 14, width - tip.offsetWidth - 4), top = y + 18 + tip.offsetHeight < height ? y + 18 : y - 34;
    tip.style.transform = `translate(${Math.max(left, 2)}px, ${top}px)`;
  }

  function listen() {
    const fingers = new Map();
    let travelled = 0;
    const local = event => {
      const box = canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    canvas.addEventListener("pointerdown", event => {
      canvas.setPointerCapture(event.pointerId);
      if (!fingers.size) travelled = 0;
      fingers.set(event.pointerId, local(event));
      hover(-1);
    });
    canvas.addEventListener("pointermove", event => {
      const here = local(event), before = fingers.get(event.pointerId);
      if (!before) {
        if (event.pointerType !== "touch") hover(pointAt(...here), ...here);
        return;
      }
      travelled += Math.hypot(here[0] - before[0], here[1] - before[1]);
      fingers.set(event.pointerId, here);
      canvas.classList.add("drag");
      if (fingers.size === 1) { pan(here[0] - before[0], here[1] - before[1]); return; }
      const [, other] = [...fingers].find(([id]) => id !== event.pointerId);
      const apart = place => Math.max(Math.hypot(place[0] - other[0], place[1] - other[1]), 1);
      pan((here[0] - before[0]) / 2, (here[1] - before[1]) / 2);
      zoom(apart(here) / apart(before), (here[0] + other[0]) / 2, (here[1] + other[1]) / 2);
    });
    const lift = event => {
      const last = fingers.delete(event.pointerId) && fingers.size === 0;
      if (last) canvas.classList.remove("drag");
      if (!last || travelled > 5 || event.type !== "pointerup") return;
      const i = pointAt(...local(event));
      if (i >= 0) onPick(words[i]);
    };
    canvas.addEventListener("pointerup", lift);
    canvas.addEventListener("pointercancel", lift);
    canvas.addEventListener("pointerleave", () => hover(-1));
    canvas.addEventListener("wheel", event => {
      event.preventDefault();
      const lines = event.deltaMode === 1 ? 20 : 1;
      zoom(Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.0015)), ...local(event));
    }, { passive: false });
    canvas.addEventListener("keydown", event => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const actions = {
        "+": () => zoom(1.3), "=": () => zoom(1.3), "-": () => zoom(1 / 1.3), "0": showAll,
        ArrowLeft: () => pan(60, 0), ArrowRight: () => pan(-60, 0), ArrowUp: () => pan(0, 60), ArrowDown: () => pan(0, -60),
      };
      if (!actions[event.key]) return;
      event.preventDefault();
      actions[event.key]();
    });
    new ResizeObserver(resize).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { palette = null; draw(); });
  }

  function showAll() {
    moveTo(whole);
  }

  // Mark the words of a query and their neighbours, and go there.
  function light(asked, neighbours) {
    const numbers = words => words.map(word => model.index.get(word)).filter(i => i !== undefined);
    lit = new Map([...numbers(neighbours).map(i => [i, false]), ...numbers(asked).map(i => [i, true])]);
    draw();
    if (lit.size && width) moveTo(aroundLit());
  }

  // The middle is the word of the query. Neighbours that are far from it on the map do not decide how far the map
  // zooms in.
  function aroundLit() {
    const all = [...lit.keys()], main = all.find(i => lit.get(i)) ?? all[0];
    const x = places[2 * main], y = places[2 * main + 1];
    const away = i => Math.max(Math.abs(places[2 * i] - x) / width, Math.abs(places[2 * i + 1] - y) / height);
    const apart = all.map(away).sort((a, b) => a - b)[Math.floor(0.7 * (all.length - 1))];
    const scale = Math.min(0.42 / Math.max(apart, 1e-9), whole.scale * 40);
    return scale < 1.2 * whole.scale ? { ...whole } : { x, y, scale };
  }

  function setPoints(target) {
    stop();
    const from = places, now = new Float32Array(target.length);
    const wasWhole = view.scale === whole.scale, start = { ...view };
    places = now;
    now.set(target);
    whole = width ? fit(null) : whole;
    const end = wasWhole || !lit.size ? whole : aroundLit();
    animate(1200, t => {
      if (t === 1) now.set(target);
      else for (let i = 0; i < now.length; i++) now[i] = from[i] + (target[i] - from[i]) * t;
      view = { x: start.x + (end.x - start.x) * t, y: start.y + (end.y - start.y) * t, scale: start.scale + (end.scale - start.scale) * t };
    });
    arrive = () => now.set(target);
  }

  listen();
  return {
    light, setPoints, showAll, zoom, pointAt,
    colourBy(name) { colouring = name; palette = null; draw(); },
    highlight(number) { cluster = number; draw(); },
    place: word => screen(model.index.get(word)),
    picture: () => new Promise(resolve => { paint(); canvas.toBlob(resolve, "image/png"); }),
    view: () => ({ ...view, whole: whole.scale, lit: lit.size, cluster }),
  };
}

// Twelve groups of equal ratio of counts, from rare to frequent.
function frequencyGroups(counts) {
  if (!counts) return null;
  const logs = Float32Array.from(counts, count => Math.log(Math.max(count, 1)));
  let low = Infinity, high = -Infinity;
  for (const x of logs) { low = Math.min(low, x); high = Math.max(high, x); }
  return Uint8Array.from(logs, x => Math.min(Math.floor((x - low) / Math.max(high - low, 1e-9) * 12), 11));
}

function short(word) {
  const letters = [...shown(word)];
  return letters.length > LONGEST ? letters.slice(0, LONGEST - 1).join("") + "…" : letters.join("");
}
