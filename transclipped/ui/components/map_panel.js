// A panel of the map: one layout on a canvas of points and a canvas of marks, with its own pan, zoom, click and lasso.
// Zoomed in far enough, points become images.

const REACH = 9; // px, radius around the pointer for hitting a point
const GREY = [148, 156, 166]; // of points that are not selected; no class has it
const ZOOMED = 2; // magnification from which points may become images
const ROOM = 44; // px, side of the area that each image needs
const ABOVE = 14; // px from the middle of a group up to its name
const SIDES = [22, 56]; // px, smallest and largest side of an image

// A panel without a map, with the reason.
class EmptyPanel {
  constructor(about) {
    const title = element("div", { class: "title" }, element("b", {}, about.name));
    const frame = element("div", { class: "frame missing" }, element("p", {}, about.reason));
    this.box = element("div", { class: "panel small" }, title, frame);
  }
}

let panelCount = 0;

class Panel {
  constructor(map, about, before) {
    this.map = map;
    this.about = about;
    this.xy = decoded(about.xy, Float32Array);
    this.points = element("canvas", { class: "points", "aria-hidden": "true" });
    const help = element("div", { class: "unseen", id: `map-help-${panelCount++}` }, KEYS);
    this.marks = element("canvas", { class: "marks", tabindex: "0", role: "application", "aria-describedby": help.id });
    this.marks.setAttribute("aria-roledescription", "map of points");
    this.title = element("div", { class: "title" }, element("b", {}, about.name), ` ${about.note}`);
    this.title.onclick = () => map.enlarge(this);
    this.frame = element("div", { class: "frame" }, this.points, this.marks, help);
    this.box = element("div", { class: "panel", "data-name": about.name }, this.title, this.frame);
    this.bounds();
    const same = before && before.about.xy === about.xy;
    this.view = same ? before.view : { x: 0.5, y: 0.5, zoom: 1 }; // centre in the unit square, magnification
    this.listen();
  }

  setLarge(large) {
    const { about, map } = this;
    this.box.classList.toggle("large", large);
    this.box.classList.toggle("small", !large);
    this.title.title = this.marks.title = large ? "" : "Click to enlarge";
    const images = `${map.data.n.toLocaleString("en")} images`;
    this.marks.ariaLabel = `${large ? "Large map" : "Small map"} of ${images}, ${about.name}, ${about.note}`;
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
    const width = Math.round(this.frame.clientWidth), height = Math.round(this.frame.clientHeight);
    if (!width || !height) return;
    const ratio = window.devicePixelRatio || 1;
    if (width === this.width && height === this.height && ratio === this.ratio) return;
    Object.assign(this, { width, height, ratio });
    for (const canvas of [this.points, this.marks]) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    this.draw();
  }

  // px per data unit, and the data point at the upper left corner: screen = (data − origin) · scale, y upwards.
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
    const disc = discOf(this.radius() * this.ratio);
    const faint = map.data.legend.map((entry) => entry.faint);
    const alike = map.everyLit && !faint.includes(true);
    for (const lit of alike ? [true] : [false, true]) {
      const strength = lit ? (n > 3000 ? 0.75 : 0.88) : 0.42;
      for (let row = 0; row < n; row++) {
        if (!alike && (map.lit(row) && (!faint[map.colour[row]] || !map.everyLit)) !== lit) continue;
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
    this.drawImages(context, t);
    this.points.dataset.view = [t.scale, t.x, t.y].join(",");
    this.drawMarks();
  }

  // Radius of a point, in px.
  radius() {
    const { map } = this, crowd = map.n > 20000 ? 1.4 : map.n > 3000 ? 1.8 : 2.8;
    const large = this === map.large ? 1.2 : 1;
    return crowd * large * map.scale * Math.min(2, Math.sqrt(this.view.zoom));
  }

  // Rows whose points become images: all in view if they are few enough, the lit ones last; else none.
  imaged(t) {
    if (this.view.zoom < ZOOMED || !this.map.data.sheets.length) return [];
    const rows = [], most = (this.width * this.height) / (ROOM * this.map.scale) ** 2;
    for (let row = 0; row < this.map.n; row++) {
      const [x, y] = this.place(row, t);
      if (x < 0 || y < 0 || x > this.width || y > this.height) continue;
      if (rows.push(row) > most) return [];
    }
    return rows.sort((a, b) => this.map.lit(a) - this.map.lit(b) || a - b);
  }

  // Side of an image, in px: larger if fewer are in view.
  side(rows) {
    const [least, most] = SIDES, side = 0.5 * Math.sqrt((this.width * this.height) / rows.length);
    return Math.min(most, Math.max(least, side)) * this.map.scale;
  }

  drawImages(context, t) {
    const { map, ratio } = this, { tile } = map.data, rows = this.imaged(t);
    this.points.dataset.images = rows.length;
    if (!rows.length) return;
    const side = this.side(rows);
    context.save();
    context.scale(ratio, ratio);
    context.imageSmoothingEnabled = tile > 32;
    for (const row of rows) {
      const sheet = map.sheet(row), [, across, down] = map.cut(row), [x, y] = this.place(row, t);
      if (!sheet) continue;
      const lit = map.lit(row), frame = lit ? map.data.legend[map.colour[row]]?.colour : `rgb(${GREY})`;
      context.globalAlpha = lit ? 1 : 0.45;
      context.fillStyle = frame;
      context.fillRect(x - side / 2 - 2, y - side / 2 - 2, side + 4, side + 4);
      context.drawImage(sheet, across * tile, down * tile, tile, tile, x - side / 2, y - side / 2, side, side);
    }
    context.restore();
  }

  // Names of the groups, [text, x, y], without those that would cover a larger group's; none on a small panel.
  names(t, measure) {
    const { map } = this, boxes = [], names = [], height = 18 * map.scale;
    if (this !== map.large || !map.named) return [];
    for (const [entry, x, y] of this.about.places) {
      const hidden = map.hinted >= 0 ? entry !== map.hinted : map.isolated && !map.isolated.has(entry);
      const text = map.data.legend[entry]?.name;
      if (hidden || !text) continue;
      const [px, middle] = this.toScreen([x, y], t), width = measure(text) + 6;
      if (px < 0 || middle < 0 || px > this.width || middle > this.height) continue;
      const py = Math.max(height / 2, middle - ABOVE * map.scale);
      const at = Math.min(this.width - width / 2, Math.max(width / 2, px));
      const clear = boxes.every(([x0, y0, w0]) => Math.abs(at - x0) > (width + w0) / 2 || Math.abs(py - y0) > height);
      if (!clear) continue;
      boxes.push([at, py, width]);
      names.push([text, at, py]);
    }
    return names;
  }

  drawNames(context, t) {
    context.font = `600 ${14 * this.map.scale}px ${getComputedStyle(this.map.root).fontFamily}`;
    Object.assign(context, { textAlign: "center", textBaseline: "middle", lineJoin: "round", lineWidth: 4 });
    const names = this.names(t, (text) => context.measureText(text).width);
    this.marks.dataset.names = names.map(([text]) => text).join("|");
    for (const [text, x, y] of names) {
      context.strokeStyle = this.map.paperName;
      context.strokeText(text, x, y);
      context.fillText(text, x, y);
    }
    context.strokeStyle = this.map.ink;
  }

  drawMarks() {
    if (!this.width || !this.map.paper) return;
    const { map } = this, context = this.marks.getContext("2d"), t = this.transform();
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    context.strokeStyle = context.fillStyle = map.ink;
    this.drawNames(context, t);
    const star = map.data.star?.[this.about.name];
    const from = map.picked >= 0 ? this.place(map.picked, t) : star ? this.toScreen(star, t) : null;
    if (from) {
      const size = this === map.large ? map.scale : 0.75 * map.scale, places = new Set();
      context.lineWidth = 1.2;
      for (const row of map.data.neighbours || []) {
        const to = this.place(row, t), place = to.map((at) => Math.round(at / 2)).join();
        if (places.has(place)) continue; // equal codes share a place
        places.add(place);
        context.globalAlpha = 0.55;
        line(context, from, to);
        context.globalAlpha = 1;
        ring(context, to, 5 * size, 1.6 * size);
      }
      if (map.picked >= 0) ring(context, from, 8 * size, 3 * size);
      else drawStar(context, from, 10 * size, map.paperName);
    }
    if (map.hover >= 0) ring(context, this.place(map.hover, t), 7 * map.scale, 2.5 * map.scale);
    if (this.lasso) {
      context.beginPath();
      this.lasso.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
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
    let best = REACH * REACH, nearest = -1;
    for (let row = 0; row < map.n; row++) {
      const dx = (this.xy[2 * row] - t.x) * t.scale - x;
      if (dx > REACH || dx < -REACH) continue;
      const dy = (t.y - this.xy[2 * row + 1]) * t.scale - y;
      let far = dx * dx + dy * dy;
      if (far > best) continue;
      if (!map.lit(row)) far += REACH * REACH * 0.5; // grey points only if no other is near
      if (far < best) [best, nearest] = [far, row];
    }
    return nearest;
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
      if (event.shiftKey || map.lassoing) this.lasso = [this.from];
      else this.start = { ...this.view };
      event.preventDefault();
    };
    marks.onpointermove = (event) => {
      const [x, y] = at(event);
      if (!this.from) return map.point(this.nearest(x, y), event.clientX, event.clientY);
      const dx = x - this.from[0], dy = y - this.from[1];
      if (dx * dx + dy * dy > 9) this.moved = true;
      if (this.lasso) {
        this.lasso.push([x, y]);
        this.drawMarks();
      } else if (this.moved) {
        map.point(-1);
        const unit = this.transform().scale * this.span.side;
        this.view = { ...this.view, x: this.start.x - dx / unit, y: this.start.y + dy / unit };
        this.soon();
      }
    };
    marks.onpointerup = (event) => {
      const [x, y] = at(event), lasso = this.lasso;
      const click = this.from && !this.moved;
      this.from = this.lasso = null;
      if (lasso && !click) {
        map.choose(this.within(lasso));
        map.setLasso(false);
      } else if (click && this !== map.large) {
        map.enlarge(this);
      } else if (click && !lasso) {
        const row = this.nearest(x, y);
        if (row >= 0) map.pick(row);
      }
      this.drawMarks();
    };
    marks.onpointercancel = () => (this.from = this.lasso = null);
    marks.onpointerleave = () => this.from || map.point(-1);
    marks.onkeydown = (event) => panelKey(this, event);
    marks.onblur = () => map.point(-1);
    marks.ondblclick = (event) => this.nearest(...at(event)) < 0 && this.fit();
    marks.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        this.zoomAt(...at(event), Math.exp(-event.deltaY * 0.0015));
      },
      { passive: false },
    );
  }

  // Magnify by `factor`, keeping the point at x, y of the screen in place.
  zoomAt(x, y, factor) {
    const before = this.transform(), zoom = Math.min(200, Math.max(0.5, this.view.zoom * factor));
    const after = (before.scale * zoom) / this.view.zoom;
    const shift = (1 / before.scale - 1 / after) / this.span.side;
    this.view = {
      x: this.view.x + (x - this.width / 2) * shift,
      y: this.view.y - (y - this.height / 2) * shift,
      zoom,
    };
    this.soon();
  }

  // Pan until the point of a row is in view.
  reveal(row) {
    const t = this.transform(), [x, y] = this.place(row, t), edge = 24, unit = t.scale * this.span.side;
    const beyond = (at, size) => (at < edge ? at - edge : at > size - edge ? at - size + edge : 0);
    const [dx, dy] = [beyond(x, this.width), beyond(y, this.height)];
    if (!dx && !dy) return;
    this.view = { ...this.view, x: this.view.x + dx / unit, y: this.view.y - dy / unit };
    this.soon();
  }

  // One drawing per frame, however often the pointer moves.
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
