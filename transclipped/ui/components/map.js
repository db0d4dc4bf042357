// The map: one large panel of points and small ones beside it, which share colours, selection and query, and the images
// below them. A click on a small panel enlarges it.
//
// Python sends positions, colours and image sheets once (identified by a version); panning, zooming, hovering, the
// lasso, and colours of selected and isolated points stay in the browser. The visitor's choices are sent as {version, at,
// …}, with the time so that a repeated choice counts: {rows} as `selection`, {row} as `picked`, and {value} as `large` (title of
// a panel), `near` (kind of embedding whose neighbours are listed) and `k` (how many). map_panel.js (a panel),
// map_keys.js (the keyboard), map_shapes.js (colours and shapes), map_tiles.js (images below) and map_save.js (PNG and
// SVG) follow in the same module.

const CARD_DELAY = 125; // ms from ring to card
const CARD = 128; // px, image of a card
const NARROW = 640; // px, below which small panels stand under the large one
const LEAST = 300, MARGIN = 56; // px, least height of the large panel, and what stays free below it

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
    this.hinted = -1; // legend entry under the pointer
    this.picked = -1;
    this.hover = -1;
    this.lassoing = false;
    this.named = true;
    this.sheets = new Map(); // images by their URL
    for (const part of ["bar", "legend", "grid", "card", "gallery"]) {
      this[part] = root.appendChild(element("div", { class: part }));
    }
    this.said = root.appendChild(element("div", { class: "unseen", role: "status" })); // for screen readers
    this.tiles = new Tiles(this, this.gallery);
    this.buttons();
    this.legend.onpointerleave = () => this.hint(-1);
    roving(this.legend, "button.entry");
    this.onKey = (event) => {
      const at = event.composedPath()[0];
      if (event.key === "Escape" && !/^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName)) this.clear();
    };
    document.addEventListener("keydown", this.onKey);
    root.onfullscreenchange = () => this.resize();
    this.sizes = new ResizeObserver(() => this.resize());
    this.sizes.observe(root);
    this.onWindow = () => this.resize();
    addEventListener("resize", this.onWindow);
    this.themes = setInterval(() => this.readTheme(), 500); // a theme can change without a rerun
  }

  buttons() {
    const button = (name, icon, label, title, act) => {
      const sign = element("span", { class: "icon", "aria-hidden": "true" }, icon);
      const node = element("button", { type: "button", class: name, title }, sign, element("span", {}, label));
      node.onclick = act;
      return this.bar.appendChild(node);
    };
    const lasso = "Draw around points to select them, or drag with Shift held.";
    this.lassoButton = button("lasso", "lasso_select", "Lasso", lasso, () => this.setLasso(!this.lassoing));
    button("whole", "fit_screen", "Whole map", "Show all points (Home).", () => this.panels.forEach((panel) => panel.fit()));
    const clear = "Clear the selection, the query and isolated classes (Esc).";
    button("clear", "close", "Clear", clear, () => this.clear());
    this.nameButton = button("names", "label", "Names", "Names of the classes on the large map.", () => {
      this.named = !this.named;
      this.markButtons();
      this.drawMarks();
    });
    if (document.fullscreenEnabled) {
      button("full", "fullscreen", "Full screen", "The maps alone, on the whole screen.", () => this.fullScreen());
    }
    for (const kind of ["PNG", "SVG"]) {
      button("save", "download", kind, `Save the large map as ${kind}.`, () => saveMap(this, kind.toLowerCase()));
    }
    this.markButtons();
  }

  // Streamlit may mount the same root again with new data; the timers of a removed root stop after a second.
  close() {
    clearTimeout(this.cardTimer);
    this.card.style.display = "none";
    setTimeout(() => {
      if (this.root.isConnected) return;
      document.removeEventListener("keydown", this.onKey);
      removeEventListener("resize", this.onWindow);
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
      this.tiles.restart();
    }
    if (changed || layout) this.buildPanels();
    this.colour = decoded(data.colour, Uint16Array);
    this.colours = data.legend.map((entry) => rgb(entry.colour));
    if (data.colouring !== this.colouring) {
      this.isolated = null;
      this.hinted = -1;
      this.colouring = data.colouring;
      this.buildLegend();
    }
    this.picked = data.picked ?? -1;
    this.root.classList.toggle("lesson", Boolean(data.lesson));
    this.nameButton.hidden = !data.panels.some((about) => about.places?.length);
    this.readTheme(true);
    this.tiles.draw();
  }

  buildPanels() {
    const before = new Map(this.panels.map((panel) => [panel.about.name, panel]));
    const boxes = this.data.panels.map((about) => {
      if (!about.xy) return new EmptyPanel(about);
      return new Panel(this, about, before.get(about.name));
    });
    this.panels = boxes.filter((panel) => panel instanceof Panel);
    this.grid.replaceChildren(...boxes.map((panel) => panel.box));
    this.grid.classList.toggle("alone", boxes.length === 1);
    this.place(this.data.large);
  }

  // The panel of this name becomes the large one, by default the last.
  place(name) {
    this.large = this.panels.find((panel) => panel.about.name === name) || this.panels.at(-1);
    this.panels.forEach((panel) => panel.setLarge(panel === this.large));
    this.resize();
  }

  enlarge(panel) {
    if (panel === this.large) return;
    this.point(-1);
    this.place(panel.about.name);
    this.tell("large", { value: panel.about.name });
  }

  // The large panel fills the window, as far as its width allows.
  resize() {
    const width = this.root.clientWidth;
    if (!width) return;
    const full = Boolean(document.fullscreenElement), narrow = width < NARROW;
    this.root.classList.toggle("narrow", narrow);
    const scroller = this.root.closest('[data-testid="stMain"]') || this.root.getRootNode().host?.closest('[data-testid="stMain"]');
    const top = this.grid.getBoundingClientRect().top + (full ? 0 : scroller?.scrollTop || 0);
    const room = innerHeight - top - (full ? 24 : MARGIN);
    const most = full ? innerHeight : narrow ? width : 0.68 * width;
    this.grid.style.setProperty("--height", `${Math.round(Math.max(LEAST, Math.min(room, most)))}px`);
    this.panels.forEach((panel) => panel.resize());
  }

  fullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.root.requestFullscreen();
  }

  readTheme(force = false) {
    const style = getComputedStyle(this.root);
    const paper = style.getPropertyValue("--st-background-color").trim() || "#ffffff";
    const ink = style.getPropertyValue("--st-text-color").trim() || "#1c2430";
    const scale = parseFloat(style.getPropertyValue("--scale")) || 1; // larger on a projector
    if (!force && paper === this.paperName && ink === this.ink && scale === this.scale) return;
    Object.assign(this, { scale, paperName: paper, ink, paper: rgb(paper) });
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
      const images = entry.rows.map((row) => this.image(row, 28));
      const button = element("button", { type: "button", class: "entry", tabindex: "-1" }, dot, ...images, entry.name);
      button.title = "Point to light it up; click to hide or show it; double-click to show it alone.";
      button.onclick = () => this.toggle(index);
      button.ondblclick = () => this.isolate(index);
      button.onpointerenter = (event) => event.pointerType === "mouse" && this.hint(index);
      this.legend.append(button);
    });
    this.markLegend();
  }

  toggle(index) {
    const all = this.data.legend.map((_, i) => i);
    const on = this.isolated || new Set(all);
    if (!on.delete(index)) on.add(index);
    this.isolated = on.size === all.length ? null : on;
    this.hinted = -1;
    this.markLegend();
  }

  isolate(index) {
    const alone = this.isolated?.size === 1 && this.isolated.has(index);
    this.isolated = alone ? null : new Set([index]);
    this.markLegend();
  }

  hint(index) {
    if (index === this.hinted) return;
    this.hinted = index;
    this.draw();
  }

  markLegend() {
    [...this.legend.querySelectorAll(".entry")].forEach((button, i) => {
      const off = Boolean(this.isolated && !this.isolated.has(i));
      button.classList.toggle("off", off);
      button.ariaPressed = String(!off);
    });
    this.legend.restart?.();
    this.draw();
  }

  markButtons() {
    for (const [button, on] of [[this.lassoButton, this.lassoing], [this.nameButton, this.named]]) {
      button.classList.toggle("on", on);
      button.ariaPressed = String(on);
    }
  }

  // Whether a row has its colour: it is selected, and its entry of the legend is not hidden.
  lit(row) {
    if (this.hinted >= 0) return this.colour[row] === this.hinted;
    return (!this.chosen || this.chosen.has(row)) && (!this.isolated || this.isolated.has(this.colour[row]));
  }

  get everyLit() {
    return !this.chosen && !this.isolated && this.hinted < 0;
  }

  draw() {
    this.panels.forEach((panel) => panel.draw());
  }

  drawMarks() {
    this.panels.forEach((panel) => panel.drawMarks());
  }

  setLasso(on) {
    this.lassoing = on;
    this.markButtons();
    this.root.classList.toggle("lassoing", on);
  }

  tell(name, message) {
    this.send(name, { version: this.data.version, at: Date.now(), ...message });
  }

  pick(row) {
    this.picked = row;
    this.data = { ...this.data, picked: row, neighbours: [], distances: [], star: null };
    this.drawMarks();
    this.tiles.draw();
    this.tell("picked", { row });
  }

  choose(rows) {
    this.chosen = rows.length ? new Set(rows) : null;
    this.data = { ...this.data, bars: [] };
    this.tiles.restart();
    this.draw();
    this.tiles.draw();
    this.tell("selection", { rows });
  }

  clear() {
    const selected = this.chosen, queried = this.picked >= 0;
    this.isolated = null;
    this.hinted = -1;
    this.setLasso(false);
    this.markLegend();
    this.point(-1);
    if (queried) this.pick(-1);
    if (selected) this.choose([]);
  }

  point(row, x, y) {
    if (row === this.hover) return;
    this.hover = row;
    clearTimeout(this.cardTimer);
    this.card.style.display = "none";
    this.drawMarks(); // the ring, immediately
    this.tiles.mark(row);
    if (row >= 0 && x !== undefined) this.cardTimer = setTimeout(() => this.showCard(row, x, y), CARD_DELAY);
  }

  // Name of a row, with its class, codeword or value.
  about(row) {
    const entry = this.data.legend[this.colour[row]]?.name;
    return [this.data.names[row], this.data.ramp ? this.data.values?.[row] : entry].filter(Boolean);
  }

  showCard(row, x, y) {
    const lines = this.about(row).map((line) => element("div", {}, String(line)));
    this.card.replaceChildren(this.image(row, CARD), ...lines);
    this.card.style.display = "block";
    const box = this.root.getBoundingClientRect();
    const left = Math.min(Math.max(0, x - box.left - CARD / 2 - 6), box.width - CARD - 14);
    const above = y - box.top - this.card.offsetHeight - 14;
    this.card.style.left = `${left}px`;
    this.card.style.top = `${(above > 0 ? above : y - box.top + 18) + this.root.scrollTop}px`;
  }

  // The image of a row, cut out of its sheet; tiny images are not smoothed.
  image(row, side) {
    const { columns, tile } = this.data;
    const box = element("span", { class: "picture", style: `width:${side}px;height:${side}px` });
    const [url, across, down] = this.cut(row);
    if (!url) return box;
    box.style.backgroundImage = `url("${url}")`;
    box.style.backgroundSize = `${side * columns}px auto`;
    box.style.backgroundPosition = `-${across * side}px -${down * side}px`;
    if (tile <= 32) box.style.imageRendering = "pixelated";
    return box;
  }

  // URL of the sheet that has the image of a row, with its column and line there.
  cut(row) {
    const { sheets, per_sheet: per, columns } = this.data;
    const url = sheets[Math.floor(row / per)], at = row % per;
    const path = (this.data.base || "").replace(/^\/|\/$/g, "");
    return [url && (path ? `/${path}${url}` : url), at % columns, Math.floor(at / columns)];
  }

  // The loaded sheet of a row; null while it is being fetched, after which the panels are drawn again.
  sheet(row) {
    const [url] = this.cut(row);
    if (!url) return null;
    if (!this.sheets.has(url)) {
      const image = new Image();
      image.onload = () => this.panels.forEach((panel) => panel.soon());
      image.src = url;
      this.sheets.set(url, image);
    }
    const image = this.sheets.get(url);
    return image.complete && image.naturalWidth ? image : null;
  }
}
