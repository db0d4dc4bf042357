// Images below the maps: the query with its neighbours and their distances, and the selection with its classes.

const TILES = 240; // images of a selection before "Show more"
const TILE = 64; // px

class Tiles {
  constructor(map, root) {
    this.map = map;
    this.root = root;
    this.limit = TILES;
    this.near = root.appendChild(element("section", { class: "near" }));
    this.chosen = root.appendChild(element("section", { class: "chosen" }));
    for (const part of [this.near, this.chosen]) {
      part.head = part.appendChild(element("div", { class: "count" }));
      part.bars = part.appendChild(element("div", { class: "bars", role: "list" }));
      part.grid = part.appendChild(element("div", { class: "tiles", role: "group" }));
      part.more = part.appendChild(element("div", {}));
      roving(part.grid, "button.tile");
    }
  }

  restart() {
    this.limit = TILES;
  }

  draw() {
    this.drawNear();
    this.drawChosen();
  }

  drawNear() {
    const { map, near } = this, { data } = map, queried = map.picked >= 0;
    const rows = queried ? [map.picked, ...(data.neighbours || [])] : data.star ? data.neighbours : [];
    const distances = queried ? [null, ...(data.distances || [])] : data.distances || [];
    near.hidden = !rows.length;
    this.fill(near, rows, distances, "Query and neighbours");
    if (!rows.length) return near.head.replaceChildren();
    const counts = data.counts.map((count) => ({ name: String(count), usable: true }));
    near.head.replaceChildren(
      queried ? "The query, framed, and its" : "The query ★ has these",
      this.select("k", "Number of neighbours", counts, String(data.k)),
      "nearest by",
      this.select("near", "Embedding", data.kinds, data.near),
      "embedding, with cosine distances",
    );
  }

  drawChosen() {
    const { map, chosen } = this;
    const rows = map.chosen ? [...map.chosen].sort((a, b) => a - b) : [];
    const visible = rows.slice(0, this.limit);
    this.fill(chosen, visible, [], "Selected images");
    this.drawBars(rows.length ? map.data.bars || [] : [], rows.length);
    chosen.head.dataset.count = rows.length;
    if (rows.length) {
      chosen.head.textContent = `${rows.length.toLocaleString("en")} image${rows.length === 1 ? "" : "s"} selected`;
    } else {
      const hint = "Click a point to search with its image; Shift-drag around points to see their images.";
      chosen.head.textContent = map.picked >= 0 || map.data.star ? "" : hint;
    }
    const left = rows.length - visible.length;
    chosen.more.replaceChildren();
    if (left > 0) {
      const more = element("button", { type: "button" }, `Show ${Math.min(TILES, left)} more`);
      more.onclick = () => {
        this.limit += TILES;
        this.drawChosen();
      };
      chosen.more.append(more);
    }
  }

  drawBars(bars, total) {
    const most = Math.max(1, ...bars.map((bar) => bar.count));
    const lines = bars.map((bar) => {
      const width = `width:${(100 * bar.count) / most}%;background:${bar.colour}`;
      const parts = [element("span", {}, bar.name), element("i", {}, element("b", { style: width })), element("span", {}, String(bar.count))];
      const line = element("div", { class: "classbar", role: "listitem", title: `${bar.name}: ${bar.count} of ${total}` }, ...parts);
      return line;
    });
    this.chosen.bars.replaceChildren(...lines);
  }

  select(name, label, options, value) {
    const node = element("select", { "aria-label": label, class: name });
    for (const { name: text, usable } of options) {
      const option = element("option", { value: text }, usable ? text : `${text} (not here)`);
      option.disabled = !usable;
      option.selected = text === value;
      node.append(option);
    }
    node.onchange = () => this.map.tell(name, { value: node.value });
    return node;
  }

  fill(part, rows, distances, label) {
    const focused = part.grid.contains(part.grid.getRootNode().activeElement);
    part.grid.ariaLabel = label;
    part.grid.replaceChildren(...rows.map((row, i) => this.tile(row, distances[i])));
    part.grid.hidden = !rows.length;
    part.grid.restart();
    if (focused) part.grid.querySelector('[tabindex="0"]')?.focus({ preventScroll: true });
  }

  tile(row, distance) {
    const { map } = this, side = Math.round(TILE * (map.scale || 1));
    const known = Number.isFinite(distance);
    const tile = element("button", { type: "button", class: "tile", "data-row": row, tabindex: "-1" }, map.image(row, side));
    if (distance !== undefined) tile.append(element("span", { class: "label" }, map.about(row)[1] ?? ""));
    if (known) tile.append(element("span", { class: "distance" }, distance.toFixed(distance < 0.0995 ? 3 : 2)));
    tile.style.width = `${side + 10}px`;
    tile.title = tile.ariaLabel = [...map.about(row), ...(known ? [`distance ${distance}`] : [])].join(" · ");
    tile.style.borderColor = map.data.ramp ? "transparent" : map.data.legend[map.colour[row]]?.colour;
    tile.classList.toggle("query", row === map.picked);
    tile.onclick = () => map.pick(row);
    tile.onpointerenter = () => map.point(row);
    tile.onpointerleave = () => map.point(-1);
    tile.onfocus = () => tile.matches(":focus-visible") && map.point(row);
    tile.onblur = () => map.hover === row && map.point(-1);
    return tile;
  }

  mark(row) {
    this.root.querySelectorAll(".tile").forEach((tile) => tile.classList.toggle("hover", +tile.dataset.row === row));
  }
}
