// The map: points on side-by-side panels that share colours, selection and query, and the images below them.
//
// Python sends positions, colours and image sheets once (identified by a version); panning, zooming, hovering, the
// lasso, and colours of selected and isolated points stay in the browser. A lasso sends {version, rows} as `selection`, a
// click {version, row} as `picked`. map_panel.js and map_shapes.js follow in the same module.

const CARD_DELAY = 125; // ms from ring to card
const CARD = 128; // px, image of a card
const TILES = 240; // images drawn in the gallery before "Show more"

export default function (component) {
  const { parentElement, data, setStateValue } = component;
  const map = mountOnce(parentElement.querySelector(".map"), PointMap);
  map.send = setStateValue;
  map.update(data);
  return () => map.close();
}

class PointMap {
  constructor(root) {
    this.root = root;
    this.panels = [];
    this.chosen = null; // Set of rows, or null
    this.isolated = null; // Set of legend entries
    this.picked = -1;
    this.hover = -1;
    this.tileLimit = TILES;
    this.lassoing = false;
    for (const part of ["bar", "legend", "grid", "card", "gallery"]) {
      this[part] = root.appendChild(element("div", { class: part }));
    }
    this.lassoButton = this.bar.appendChild(element("button", { type: "button", class: "lasso" }, "◌ Lasso"));
    this.lassoButton.title = "Draw around points to select them, or drag with Shift held.";
    this.lassoButton.onclick = () => this.setLasso(!this.lassoing);
    this.resetButton = this.bar.appendChild(element("button", { type: "button" }, "⤢ Whole map"));
    this.resetButton.onclick = () => this.panels.forEach((panel) => panel.fit());
    this.clearButton = this.bar.appendChild(element("button", { type: "button", class: "clear" }, "✕ Clear"));
    this.clearButton.title = "Clear the selection, the query and isolated classes (Esc).";
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

  // Streamlit may mount the same root again with new data; the timers of a removed root stop after a second.
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
    const changed = data.version !== this.data?.version;
    const layout = data.layout !== this.data?.layout;
    this.data = data;
    if (changed) {
      this.n = data.n;
      this.chosen = this.isolated = null;
      this.hover = -1;
      const selection = (data.selection || []).filter((row) => row < data.n);
      if (selection.length) this.chosen = new Set(selection);
      this.tileLimit = TILES;
    }
    if (changed || layout) this.buildPanels();
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
      button.title = "Click to hide or show it; double-click to show it alone.";
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
    this.tileLimit = TILES;
    this.draw();
    this.drawGallery();
    this.send("selection", { version: this.data.version, rows });
  }

  clear() {
    const selected = this.chosen, queried = this.picked >= 0;
    this.isolated = null;
    this.setLasso(false);
    this.markLegend();
    if (queried) this.pick(-1);
    if (selected) this.choose([]);
  }

  point(row, x, y) {
    if (row === this.hover) return;
    this.hover = row;
    clearTimeout(this.cardTimer);
    this.card.style.display = "none";
    this.drawMarks(); // the ring, immediately
    this.gallery.querySelectorAll(".tile").forEach((tile) => tile.classList.toggle("hover", +tile.dataset.row === row));
    if (row >= 0 && x !== undefined) this.cardTimer = setTimeout(() => this.showCard(row, x, y), CARD_DELAY);
  }

  showCard(row, x, y) {
    const name = this.data.legend[this.colour[row]]?.name;
    const lines = [this.data.names[row], this.data.ramp ? this.data.values?.[row] : name].filter(Boolean);
    this.card.replaceChildren(this.image(row, CARD), ...lines.map((line) => element("div", {}, String(line))));
    this.card.style.display = "block";
    const box = this.root.getBoundingClientRect();
    const left = Math.min(Math.max(0, x - box.left - CARD / 2 - 6), box.width - CARD - 14);
    const above = y - box.top - this.card.offsetHeight - 14;
    this.card.style.left = `${left}px`;
    this.card.style.top = `${above > 0 ? above : y - box.top + 18}px`;
  }

  // The image of a row, cut out of its sheet; tiny images are not smoothed.
  image(row, side) {
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
      title = `${rows.length.toLocaleString("en")} image${rows.length === 1 ? "" : "s"} selected`;
    } else if (this.picked >= 0) {
      rows = [this.picked, ...neighbours];
      title = neighbours.length ? "The query, framed, and its nearest neighbours in this map's data" : "The query";
    } else if (this.data.star) {
      rows = neighbours;
      title = "Nearest neighbours of the query ★ among these images";
    }
    const tiles = rows.slice(0, this.tileLimit).map((row) => {
      const tile = element("button", { type: "button", class: "tile", "data-row": row });
      tile.append(this.image(row, 64));
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
    if (rows.length > this.tileLimit) {
      const button = element("button", { type: "button" }, `Show ${Math.min(TILES, rows.length - this.tileLimit)} more`);
      button.onclick = () => {
        this.tileLimit += TILES;
        this.drawGallery();
      };
      more.push(button);
    }
    this.gallery.replaceChildren(...heading, grid, ...more);
    if (!rows.length) {
      const hint = "Click a point to search with its image; Shift-drag around points to see their images.";
      this.gallery.replaceChildren(element("div", { class: "count", "data-count": 0 }, hint));
    }
  }
}
