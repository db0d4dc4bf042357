// The map: points on side-by-side panels that share colours, choice and query, and the pictures below them.
//
// Python sends positions, colours and picture sheets once (a version names them); panning, zooming, hovering, colours
// of chosen and isolated points, and the lasso stay in the browser. Back go {version, rows} as `selection` on release
// and {version, row} as `picked` on a click.

const CARD_DELAY = 125; // ms from ring to card
const REACH = 9; // px around the pointer in which a point is found
const CARD = 128; // px, picture of a card
const TILES = 240; // pictures the gallery draws before it is asked for more
const GREY = [148, 156, 166];
const maps = new WeakMap();

export default function (component) {
  const { parentElement, data, setStateValue } = component;
  const root = parentElement.querySelector(".map");
  let map = maps.get(root);
  if (!map) maps.set(root, (map = new PointMap(root)));
  map.send = setStateValue;
  map.update(data);
  return () => map.close();
}

const decoded = (text, Kind) => new Kind(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);

function rgb(colour) {
  const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  context.fillStyle = colour;
  context.fillRect(0, 0, 1, 1);
  return [...context.getImageData(0, 0, 1, 1).data.slice(0, 3)];
}

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// Even-odd rule, for a polygon [[x, y], …].
function inside(polygon, x, y) {
  let is = false;
  for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) {
    const [xi, yi] = polygon[i], [xj, yj] = polygon[j];
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) is = !is;
  }
  return is;
}

class PointMap {
  constructor(root) {
    this.root = root;
    this.panels = [];
    this.chosen = null; // Set of rows, null where none are
    this.isolated = null; // Set of legend entries
    this.picked = -1;
    this.hover = -1;
    this.shown = TILES;
    this.lassoing = false;
    for (const part of ["bar", "legend", "grid", "card", "gallery"]) {
      this[part] = root.appendChild(element("div", { class: part }));
    }
    this.lassoButton = this.bar.appendChild(element("button", { type: "button", class: "lasso" }, "◌ Lasso"));
    this.lassoButton.title = "Draw around points to choose them. Holding shift while dragging does the same.";
    this.lassoButton.onclick = () => this.setLasso(!this.lassoing);
    this.resetButton = this.bar.appendChild(element("button", { type: "button" }, "⤢ Whole map"));
    this.resetButton.onclick = () => this.panels.forEach((panel) => panel.fit());
    this.clearButton = this.bar.appendChild(element("button", { type: "button", class: "clear" }, "✕ Clear"));
    this.clearButton.title = "Forget the choice, the query and isolated classes (Esc).";
    this.clearButton.onclick = () => this.clear();
    this.bar.append(this.legend);
    this.onKey = (event) => {
      const at = event.composedPath()[0];
      if (event.key === "Escape" && !/^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName)) this.clear();
    };
    document.addEventListener("keydown", this.onKey);
    this.sizes = new ResizeObserver(() => this.panels.forEach((panel) => panel.resize()));
    this.sizes.observe(root);
    this.themes = setInterval(() => this.readTheme(), 500); // a theme can change without a rerun
  }

  // Kept when Streamlit mounts again with new data; a removed root stops its timers itself.
  close() {
    clearTimeout(this.cardTimer);
    this.card.style.display = "none";
    setTimeout(() => {
      if (this.root.isConnected) return;
      document.removeEventListener("keydown", this.onKey);
      clearInterval(this.themes);
      this.sizes.disconnect();
    }, 1000);
  }

  update(data) {
    const anew = data.version !== this.data?.version;
    const layout = data.layout !== this.data?.layout;
    this.data = data;
    if (anew) {
      this.n = data.n;
      this.chosen = this.isolated = null;
      this.hover = -1;
      const kept = (data.selection || []).filter((row) => row < data.n);
      if (kept.length) this.chosen = new Set(kept);
      this.shown = TILES;
    }
    if (anew || layout) this.buildPanels();
    this.colour = decoded(data.colour, Uint16Array);
    this.colours = data.legend.map((entry) => rgb(entry.colour));
    if (data.colouring !== this.colouring) {
      this.isolated = null;
      this.colouring = data.colouring;
    }
    this.picked = data.picked ?? -1;
    this.buildLegend();
    this.readTheme(true);
    this.drawGallery();
  }

  buildPanels() {
    this.panels = this.data.panels.map((about, i) => new Panel(this, about, this.panels[i]));
    this.grid.replaceChildren(...this.panels.map((panel) => panel.box));
    this.panels.forEach((panel) => panel.resize());
  }

  readTheme(force = false) {
    const style = getComputedStyle(this.root);
    const paper = style.getPropertyValue("--st-background-color").trim() || "#ffffff";
    const ink = style.getPropertyValue("--st-text-color").trim() || "#1c2430";
    const scale = parseFloat(style.getPropertyValue("--scale")) || 1; // larger on a projector
    if (!force && paper === this.paperName && ink === this.ink && scale === this.scale) return;
    this.scale = scale;
    this.paperName = paper;
    this.ink = ink;
    this.paper = rgb(paper);
    this.draw();
  }

  buildLegend() {
    this.legend.replaceChildren();
    if (this.data.ramp) {
      const stops = this.data.legend.map((entry) => entry.colour).join(",");
      const bar = element("span", { class: "ramp", style: `background:linear-gradient(90deg,${stops})` });
      this.legend.append(this.data.ramp[0], bar, this.data.ramp[1]);
      return;
    }
    this.data.legend.forEach((entry, index) => {
      const dot = element("i", { style: `background:${entry.colour}` });
      const button = element("button", { type: "button", class: "entry" }, dot, entry.name);
      button.title = "Click to grey it out or bring it back; double click to see it alone.";
      button.classList.toggle("off", Boolean(this.isolated && !this.isolated.has(index)));
      button.onclick = () => this.toggle(index);
      button.ondblclick = () => this.isolate(index);
      this.legend.append(button);
    });
  }

  toggle(index) {
    const all = this.data.legend.map((_, i) => i);
    const on = this.isolated || new Set(all);
    if (!on.delete(index)) on.add(index);
    this.isolated = on.size === all.length ? null : on;
    this.markLegend();
  }

  isolate(index) {
    const alone = this.isolated?.size === 1 && this.isolated.has(index);
    this.isolated = alone ? null : new Set([index]);
    this.markLegend();
  }

  markLegend() {
    [...this.legend.querySelectorAll(".entry")].forEach((button, i) =>
      button.classList.toggle("off", Boolean(this.isolated && !this.isolated.has(i))),
    );
    this.draw();
  }

  lit(row) {
    return (!this.chosen || this.chosen.has(row)) && (!this.isolated || this.isolated.has(this.colour[row]));
  }

  draw() {
    this.panels.forEach((panel) => panel.draw());
  }

  drawMarks() {
    this.panels.forEach((panel) => panel.drawMarks());
  }

  setLasso(on) {
    this.lassoing = on;
    this.lassoButton.classList.toggle("on", on);
    this.root.classList.toggle("lassoing", on);
  }

  pick(row) {
    this.picked = row;
    this.data = { ...this.data, picked: row, neighbours: [], star: null };
    this.drawMarks();
    this.drawGallery();
    this.send("picked", { version: this.data.version, row });
  }

  choose(rows) {
    this.chosen = rows.length ? new Set(rows) : null;
    this.shown = TILES;
    this.draw();
    this.drawGallery();
    this.send("selection", { version: this.data.version, rows });
  }

  clear() {
    const had = this.chosen, asked = this.picked >= 0;
    this.isolated = null;
    this.setLasso(false);
    this.markLegend();
    if (asked) this.pick(-1);
    if (had) this.choose([]);
  }

  point(row, x, y) {
    if (row === this.hover) return;
    this.hover = row;
    clearTimeout(this.cardTimer);
    this.card.style.display = "none";
    this.drawMarks(); // the ring, at once
    this.gallery.querySelectorAll(".tile").forEach((tile) => tile.classList.toggle("hover", +tile.dataset.row === row));
    if (row >= 0 && x !== undefined) this.cardTimer = setTimeout(() => this.showCard(row, x, y), CARD_DELAY);
  }

  showCard(row, x, y) {
    const name = this.data.legend[this.colour[row]]?.name;
    const lines = [this.data.names[row], this.data.ramp ? this.data.values?.[row] : name].filter(Boolean);
    this.card.replaceChildren(this.picture(row, CARD), ...lines.map((line) => element("div", {}, String(line))));
    this.card.style.display = "block";
    const box = this.root.getBoundingClientRect();
    const left = Math.min(Math.max(0, x - box.left - CARD / 2 - 6), box.width - CARD - 14);
    const above = y - box.top - this.card.offsetHeight - 14;
    this.card.style.left = `${left}px`;
    this.card.style.top = `${above > 0 ? above : y - box.top + 18}px`;
  }

  // A picture of a row, cut out of its sheet; tiny pictures stay crisp.
  picture(row, side) {
    const { sheets, per_sheet: per, columns, tile } = this.data;
    const box = element("div", { class: "picture", style: `width:${side}px;height:${side}px` });
    const url = sheets[Math.floor(row / per)];
    if (!url) return box;
    const at = row % per, across = at % columns, down = Math.floor(at / columns);
    const total = side * columns;
    box.style.backgroundImage = `url("${this.base()}${url}")`;
    box.style.backgroundSize = `${total}px auto`;
    box.style.backgroundPosition = `-${across * side}px -${down * side}px`;
    if (tile <= 32) box.style.imageRendering = "pixelated";
    return box;
  }

  base() {
    const path = (this.data.base || "").replace(/^\/|\/$/g, "");
    return path ? `/${path}` : "";
  }

  drawGallery() {
    const neighbours = this.data.neighbours || [];
    let rows = [], title = "";
    if (this.chosen) {
      rows = [...this.chosen].sort((a, b) => a - b);
      title = `${rows.length.toLocaleString("en")} picture${rows.length === 1 ? "" : "s"} chosen`;
    } else if (this.picked >= 0) {
      rows = [this.picked, ...neighbours];
      title = neighbours.length ? "The query, framed, and its nearest on this map's data" : "The query";
    } else if (this.data.star) {
      rows = neighbours;
      title = "Nearest to the query ★ among these pictures";
    }
    const tiles = rows.slice(0, this.shown).map((row) => {
      const tile = element("button", { type: "button", class: "tile", "data-row": row });
      tile.append(this.picture(row, 64));
      tile.title = [this.data.names[row], this.data.ramp ? "" : this.data.legend[this.colour[row]]?.name].join(" · ");
      tile.style.borderColor = this.data.ramp ? "transparent" : this.data.legend[this.colour[row]]?.colour;
      tile.classList.toggle("query", row === this.picked);
      tile.onclick = () => this.pick(row);
      tile.onpointerenter = () => this.point(row);
      tile.onpointerleave = () => this.point(-1);
      return tile;
    });
    const heading = rows.length ? [element("div", { class: "count", "data-count": rows.length }, title)] : [];
    const grid = element("div", { class: "tiles" }, ...tiles);
    const more = [];
    if (rows.length > this.shown) {
      const button = element("button", { type: "button" }, `Show ${Math.min(TILES, rows.length - this.shown)} more`);
      button.onclick = () => {
        this.shown += TILES;
        this.drawGallery();
      };
      more.push(button);
    }
    this.gallery.replaceChildren(...heading, grid, ...more);
    if (!rows.length) {
      const hint = "Click a point to ask with its picture; shift-drag around points to see what they show.";
      this.gallery.replaceChildren(element("div", { class: "count", "data-count": 0 }, hint));
    }
  }
}

class Panel {
  constructor(map, about, before) {
    this.map = map;
    this.about = about;
    this.xy = decoded(about.xy, Float32Array);
    this.points = element("canvas", { class: "points" });
    this.marks = element("canvas", { class: "marks", tabindex: "0", "aria-label": about.title });
    const title = element("div", { class: "title" }, element("b", {}, about.title), ` ${about.note}`);
    this.frame = element("div", { class: "frame" }, this.points, this.marks);
    this.box = element("div", { class: "panel" }, title, this.frame);
    this.bounds();
    const same = before && before.about.xy === about.xy;
    this.view = same ? before.view : { x: 0.5, y: 0.5, zoom: 1 }; // centre in the unit square, and magnification
    this.listen();
  }

  bounds() {
    let x0 = Infinity, x1 = -Infinity, y0 = Infinity, y1 = -Infinity;
    for (let i = 0; i < this.xy.length; i += 2) {
      x0 = Math.min(x0, this.xy[i]);
      x1 = Math.max(x1, this.xy[i]);
      y0 = Math.min(y0, this.xy[i + 1]);
      y1 = Math.max(y1, this.xy[i + 1]);
    }
    const side = Math.max(x1 - x0, y1 - y0) || 1;
    this.span = { x: (x0 + x1 - side) / 2, y: (y0 + y1 - side) / 2, side };
  }

  fit() {
    this.view = { x: 0.5, y: 0.5, zoom: 1 };
    this.draw();
  }

  resize() {
    const width = Math.round(this.frame.clientWidth);
    if (!width) return;
    const height = Math.min(width, 440);
    const ratio = window.devicePixelRatio || 1;
    if (width === this.width && height === this.height && ratio === this.ratio) return;
    Object.assign(this, { width, height, ratio });
    this.frame.style.height = `${height}px`;
    for (const canvas of [this.points, this.marks]) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    this.draw();
  }

  // px per data unit, and the data point at the panel's upper left corner: screen = (data − origin) · scale, y upwards.
  transform() {
    const scale = (0.94 * Math.min(this.width, this.height) * this.view.zoom) / this.span.side;
    const cx = this.span.x + this.view.x * this.span.side, cy = this.span.y + this.view.y * this.span.side;
    return { scale, x: cx - this.width / 2 / scale, y: cy + this.height / 2 / scale };
  }

  place(row, t = this.transform()) {
    return [(this.xy[2 * row] - t.x) * t.scale, (t.y - this.xy[2 * row + 1]) * t.scale];
  }

  draw() {
    if (!this.width || !this.map.paper) return;
    const { map } = this, { width, height } = this.points;
    const context = this.points.getContext("2d");
    const image = context.createImageData(width, height);
    const pixels = image.data, words = new Uint32Array(pixels.buffer);
    const [r, g, b] = map.paper;
    words.fill(((255 << 24) | (b << 16) | (g << 8) | r) >>> 0);
    const n = map.n, t = this.transform();
    const crowd = n > 20000 ? 1.4 : n > 3000 ? 1.8 : 2.8;
    const disc = discOf(crowd * map.scale * this.ratio * Math.min(2, Math.sqrt(this.view.zoom)));
    const faint = map.data.legend.map((entry) => entry.faint);
    const alike = !map.chosen && !map.isolated && !faint.includes(true);
    for (const lit of alike ? [true] : [false, true]) {
      const strength = lit ? (n > 3000 ? 0.75 : 0.88) : 0.42;
      for (let row = 0; row < n; row++) {
        if (!alike && (map.lit(row) && (!faint[map.colour[row]] || Boolean(map.chosen))) !== lit) continue;
        const px = Math.round((this.xy[2 * row] - t.x) * t.scale * this.ratio);
        const py = Math.round((t.y - this.xy[2 * row + 1]) * t.scale * this.ratio);
        if (px < -14 || py < -14 || px > width + 14 || py > height + 14) continue;
        const colour = lit ? map.colours[map.colour[row]] || GREY : GREY;
        for (let k = 0; k < disc.length; k += 3) {
          const x = px + disc[k], y = py + disc[k + 1];
          if (x < 0 || y < 0 || x >= width || y >= height) continue;
          const at = 4 * (y * width + x), cover = disc[k + 2] * strength;
          pixels[at] += (colour[0] - pixels[at]) * cover;
          pixels[at + 1] += (colour[1] - pixels[at + 1]) * cover;
          pixels[at + 2] += (colour[2] - pixels[at + 2]) * cover;
        }
      }
    }
    context.putImageData(image, 0, 0);
    this.points.dataset.view = [t.scale, t.x, t.y].join(",");
    this.drawMarks();
  }

  drawMarks() {
    if (!this.width) return;
    const { map } = this, context = this.marks.getContext("2d"), t = this.transform();
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    context.strokeStyle = context.fillStyle = map.ink;
    const star = map.data.star?.[this.about.name];
    const from = map.picked >= 0 ? this.place(map.picked, t) : star ? this.toScreen(star, t) : null;
    if (from) {
      context.lineWidth = 1.2;
      for (const row of map.data.neighbours || []) {
        const to = this.place(row, t);
        context.globalAlpha = 0.55;
        line(context, from, to);
        context.globalAlpha = 1;
        ring(context, to, 5 * map.scale, 1.6 * map.scale);
      }
      if (map.picked >= 0) ring(context, from, 8 * map.scale, 3 * map.scale);
      else drawStar(context, from, 10 * map.scale, map.paperName);
    }
    if (map.hover >= 0) ring(context, this.place(map.hover, t), 7 * map.scale, 2.5 * map.scale);
    if (this.drawn) {
      context.beginPath();
      this.drawn.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
      context.closePath();
      context.globalAlpha = 0.12;
      context.fill();
      context.globalAlpha = 1;
      context.lineWidth = 1.5;
      context.setLineDash([5, 4]);
      context.stroke();
      context.setLineDash([]);
    }
  }

  toScreen([x, y], t) {
    return [(x - t.x) * t.scale, (t.y - y) * t.scale];
  }

  nearest(x, y) {
    const t = this.transform(), { map } = this;
    let best = REACH * REACH, found = -1;
    for (let row = 0; row < map.n; row++) {
      const dx = (this.xy[2 * row] - t.x) * t.scale - x;
      if (dx > REACH || dx < -REACH) continue;
      const dy = (t.y - this.xy[2 * row + 1]) * t.scale - y;
      let far = dx * dx + dy * dy;
      if (far > best) continue;
      if (!map.lit(row)) far += REACH * REACH * 0.5; // grey ones only where nothing else is meant
      if (far < best) [best, found] = [far, row];
    }
    return found;
  }

  listen() {
    const { marks, map } = this;
    const at = (event) => {
      const box = marks.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    marks.onpointerdown = (event) => {
      if (event.button) return;
      marks.focus({ preventScroll: true });
      marks.setPointerCapture(event.pointerId);
      map.point(-1);
      this.from = at(event);
      this.moved = false;
      if (event.shiftKey || map.lassoing) this.drawn = [this.from];
      else this.start = { ...this.view };
      event.preventDefault();
    };
    marks.onpointermove = (event) => {
      const [x, y] = at(event);
      if (!this.from) return map.point(this.nearest(x, y), event.clientX, event.clientY);
      const dx = x - this.from[0], dy = y - this.from[1];
      if (dx * dx + dy * dy > 9) this.moved = true;
      if (this.drawn) {
        this.drawn.push([x, y]);
        this.drawMarks();
      } else if (this.moved) {
        map.point(-1);
        const unit = this.transform().scale * this.span.side;
        this.view = { ...this.view, x: this.start.x - dx / unit, y: this.start.y + dy / unit };
        this.soon();
      }
    };
    marks.onpointerup = (event) => {
      const [x, y] = at(event), drawn = this.drawn;
      const click = this.from && !this.moved;
      this.from = this.drawn = null;
      if (drawn && !click) {
        map.choose(this.within(drawn));
        map.setLasso(false);
      } else if (click && !drawn) {
        const row = this.nearest(x, y);
        if (row >= 0) map.pick(row);
      }
      this.drawMarks();
    };
    marks.onpointercancel = () => (this.from = this.drawn = null);
    marks.onpointerleave = () => this.from || map.point(-1);
    marks.ondblclick = (event) => this.nearest(...at(event)) < 0 && this.fit();
    marks.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        const [x, y] = at(event), before = this.transform();
        const zoom = Math.min(200, Math.max(0.5, this.view.zoom * Math.exp(-event.deltaY * 0.0015)));
        const grown = (before.scale * zoom) / this.view.zoom;
        const shift = (1 / before.scale - 1 / grown) / this.span.side; // what is under the pointer stays there
        this.view = {
          x: this.view.x + (x - this.width / 2) * shift,
          y: this.view.y - (y - this.height / 2) * shift,
          zoom,
        };
        this.soon();
      },
      { passive: false },
    );
  }

  // One drawing a frame, however often the pointer moves.
  soon() {
    if (this.waiting) return;
    this.waiting = requestAnimationFrame(() => {
      this.waiting = 0;
      this.draw();
    });
  }

  within(polygon) {
    const t = this.transform(), rows = [];
    for (let row = 0; row < this.map.n; row++) {
      const [x, y] = this.place(row, t);
      const on = !this.map.isolated || this.map.isolated.has(this.map.colour[row]);
      if (on && inside(polygon, x, y)) rows.push(row);
    }
    return rows;
  }
}

// Offsets and coverage of a disc's pixels, flat: dx, dy, coverage.
function discOf(radius) {
  const reach = Math.ceil(radius), disc = [];
  for (let y = -reach; y <= reach; y++) {
    for (let x = -reach; x <= reach; x++) {
      const cover = Math.min(1, Math.max(0, radius + 0.5 - Math.hypot(x, y)));
      if (cover > 0.05) disc.push(x, y, cover);
    }
  }
  return disc;
}

function ring(context, [x, y], radius, width) {
  context.lineWidth = width;
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.stroke();
}

function line(context, [x0, y0], [x1, y1]) {
  context.beginPath();
  context.moveTo(x0, y0);
  context.lineTo(x1, y1);
  context.stroke();
}

function drawStar(context, [x, y], radius, edge) {
  context.beginPath();
  for (let i = 0; i < 10; i++) {
    const r = i % 2 ? radius * 0.45 : radius, angle = (i * Math.PI) / 5 - Math.PI / 2;
    context.lineTo(x + r * Math.cos(angle), y + r * Math.sin(angle));
  }
  context.closePath();
  context.fill();
  context.lineWidth = 1.5;
  context.save();
  context.strokeStyle = edge;
  context.stroke();
  context.restore();
}
