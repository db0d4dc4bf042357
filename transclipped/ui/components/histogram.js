// The clipping slider: similarities of the negatives, which of them are clipped, and the resulting numbers.
//
// Python sends the counts at every slider position once; moving the slider looks them up. Releasing it sends
// {rule, value, n} as `amount`.

const LEFT = 46, RIGHT = 14; // px, margins of the plots
const THUMB = 16; // px, the browser's slider thumb
const PAUSE = 150; // ms from a key press to the message to the server

export default function (component) {
  const { parentElement, data, setStateValue } = component;
  const dial = mountOnce(parentElement.querySelector(".histogram"), Dial);
  dial.send = setStateValue;
  dial.update(data);
  return () => dial.close();
}

const percent = (value) => (value === null ? "–" : `${(100 * value).toFixed(value < 0.1 ? 1 : 0)}%`);
const whole = (value) => value.toLocaleString("en-US");

class Dial {
  constructor(root) {
    this.root = root;
    this.shared = false; // one scale for both classes
    this.sent = 0;
    this.numbers = root.appendChild(element("div", { class: "numbers", "aria-live": "polite" }));
    this.legend = root.appendChild(element("div", { class: "legend" }));
    this.plot = root.appendChild(element("div", { class: "plot" }));
    this.slider = root.appendChild(element("input", { type: "range" }));
    this.curves = root.appendChild(element("div", { class: "curves" }));
    this.slider.oninput = () => this.turn(Number(this.slider.value));
    this.slider.onchange = () => this.report();
    this.plot.onpointerdown = (event) => this.grab(event);
    this.plot.onpointermove = (event) => this.held && this.turn(this.under(event));
    this.plot.onpointerup = this.plot.onpointercancel = () => {
      if (this.held) this.report();
      this.held = false;
    };
    this.sizes = new ResizeObserver(() => this.resize());
    this.sizes.observe(root);
  }

  close() {
    setTimeout(() => this.root.isConnected || this.sizes.disconnect(), 1000);
  }

  update(data) {
    const changed = data.version !== this.data?.version || data.rule !== this.data?.rule;
    const moved = data.amount !== this.data?.amount; // by the server, such as an accepted suggestion
    const waiting = this.held || this.pending;
    this.data = data;
    this.cut = decoded(data.cut, Uint32Array);
    this.bins = data.edges.length - 1;
    this.slider.max = data.amounts.length - 1;
    this.slider.setAttribute("aria-label", data.text);
    if (changed || (moved && !waiting)) this.at = this.nearest(data.amount);
    this.slider.value = this.at;
    this.buildLegend();
    this.resize();
  }

  nearest(amount) {
    const apart = this.data.amounts.map((value) => Math.abs(value - amount));
    return apart.indexOf(Math.min(...apart));
  }

  turn(at) {
    this.at = Math.min(this.data.amounts.length - 1, Math.max(0, Math.round(at)));
    this.slider.value = this.at;
    this.draw();
  }

  report() {
    clearTimeout(this.pending);
    this.pending = setTimeout(() => {
      this.pending = 0;
      this.data.amount = this.data.amounts[this.at];
      this.send("amount", { rule: this.data.rule, value: this.data.amounts[this.at], n: ++this.sent });
    }, PAUSE);
  }

  grab(event) {
    if (!this.data.aligned) return;
    this.held = true;
    this.plot.setPointerCapture(event.pointerId);
    this.turn(this.under(event));
  }

  under(event) {
    const { amounts, edges } = this.data;
    const x = event.clientX - this.plot.getBoundingClientRect().left;
    const similarity = edges[0] + ((x - LEFT) / this.inner) * (1 - edges[0]);
    const first = amounts[0], last = amounts[amounts.length - 1];
    return ((similarity - first) / (last - first)) * (amounts.length - 1);
  }

  // Position of an amount on the slider's axis, px.
  place(k) {
    const { amounts, edges, aligned } = this.data;
    const last = amounts.length - 1;
    if (aligned) return LEFT + ((amounts[k] - edges[0]) / (1 - edges[0])) * this.inner;
    return LEFT + (k / last) * this.inner;
  }

  resize() {
    if (!this.data || !this.root.clientWidth) return;
    this.width = this.root.clientWidth;
    this.inner = Math.max(50, this.width - LEFT - RIGHT);
    const from = this.place(0), to = this.place(this.data.amounts.length - 1);
    this.slider.style.marginLeft = `${from - THUMB / 2}px`;
    this.slider.style.width = `${to - from + THUMB}px`;
    this.draw();
  }

  buildLegend() {
    const { hits, colours } = this.data;
    const swatch = (colour, text) => {
      const mark = element("i");
      mark.style.background = colour;
      return element("span", {}, mark, text);
    };
    const both = hits ? `linear-gradient(90deg, ${colours.other} 50%, ${colours.same} 50%)` : colours.all;
    const kept = swatch(both, "kept");
    kept.firstChild.className = "kept";
    const entries = hits
      ? [swatch(colours.other, "other class: true negatives"), swatch(colours.same, "same class: false negatives")]
      : [swatch(colours.all, "negatives, of unknown class")];
    const button = (text, title, onclick) => Object.assign(element("button", { type: "button" }, text), { title, onclick });
    const scales = button(
      this.shared ? "Separate scales" : "Same scale",
      "Separate scales show both shapes; the same scale shows how rare false negatives are.",
      () => {
        this.shared = !this.shared;
        this.buildLegend();
        this.draw();
      },
    );
    const buttons = element("span", { class: "buttons" }, ...(hits ? [scales] : []));
    buttons.append(
      button("SVG", "Save the current figure.", () => this.save("svg", "image/svg+xml", this.svg())),
      button("CSV", "Save the counts at every slider position.", () => this.save("csv", "text/csv", this.csv())),
    );
    this.legend.replaceChildren(...entries, kept, swatch(both, "✂ clipped"), buttons);
  }

  save(ending, type, text) {
    const url = URL.createObjectURL(new Blob([text], { type }));
    element("a", { href: url, download: `clipping-${this.data.rule}.${ending}` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  }

  svg() {
    const plots = [this.plot, this.curves].map((part) => part.querySelector("svg"));
    const heights = plots.map((plot) => Number(plot.getAttribute("height")));
    const colour = getComputedStyle(this.root).color;
    const [wide, high] = [this.width, heights[0] + heights[1]];
    return `<svg xmlns="http://www.w3.org/2000/svg" width="${wide}" height="${high}" viewBox="0 0 ${wide} ${high}" color="${colour}"
      font-family="sans-serif"><style>text { fill: currentColor; font-size: 12px }</style>${plots[0].innerHTML}
      <g transform="translate(0 ${heights[0]})">${plots[1].innerHTML}</g></svg>`;
  }

  csv() {
    const { symbol, amounts, clipped, pairs } = this.data;
    const lines = amounts.map((amount, k) =>
      [amount, clipped[k], pairs ? clipped[k] / pairs : "", this.precision(k) ?? "", this.recall(k) ?? ""].join(","));
    return `\ufeff${symbol},clipped,share,precision,recall\n${lines.join("\n")}\n`;
  }

  draw() {
    this.drawNumbers();
    this.drawHistogram();
    this.drawCurves();
  }

  precision(k) {
    const { hits, clipped } = this.data;
    return hits && clipped[k] ? hits[k] / clipped[k] : null;
  }

  recall(k) {
    const { hits, false: negatives } = this.data;
    return hits && negatives ? hits[k] / negatives : null;
  }

  drawNumbers() {
    const { symbol, amounts, clipped, pairs, hits, false: negatives, colours } = this.data, k = this.at;
    const number = (name, value, label, colour) => {
      const text = element("span", {});
      if (colour) text.append(element("i"));
      if (colour) text.firstChild.style.background = colour;
      text.append(label);
      return element("div", { class: "number", "data-name": name }, element("b", {}, value), text);
    };
    const share = pairs ? clipped[k] / pairs : 0;
    const numbers = [
      number("amount", `${symbol} = ${amounts[k].toFixed(amounts[1] - amounts[0] < 0.0099 ? 3 : 2)}`, this.data.text),
      number("clipped", whole(clipped[k]), `of ${whole(pairs)} pairs clipped: ${percent(share)}`, colours.share),
    ];
    if (hits) {
      numbers.push(
        number("precision", percent(this.precision(k)), "precision: share of clipped pairs that are false", colours.precision),
        number("recall", percent(this.recall(k)), `recall: of ${whole(negatives)} false negatives clipped`, colours.recall),
      );
    }
    this.numbers.replaceChildren(...numbers);
  }

  // Other classes above the axis, the same class below it, each on its own scale unless they share one.
  drawHistogram() {
    const { edges, histogram, aligned, hits, colours, scale } = this.data;
    const height = (hits ? 250 : 210) * scale, base = height - 34 * scale, top = 8, wide = this.inner / this.bins;
    const axis = hits ? top + 0.6 * (base - top) : base;
    const x = (value) => LEFT + ((value - edges[0]) / (1 - edges[0])) * this.inner;
    const most = histogram.map((row) => Math.max(1, ...row));
    let units = [(axis - top) / most[0], (base - axis) / most[1]];
    if (this.shared && hits) units = units.map(() => Math.min(...units));
    const parts = [];
    const bar = (b, from, length, side, colour, opacity) => {
      if (length <= 0) return;
      const y = side ? axis + from : axis - from - length;
      parts.push(`<rect x="${(LEFT + b * wide).toFixed(1)}" y="${y.toFixed(1)}" height="${length.toFixed(1)}"
        width="${Math.max(0.5, wide - 0.6).toFixed(1)}" fill="${colour}" fill-opacity="${opacity}"/>`);
    };
    for (let b = 0; b < this.bins; b++) {
      for (const side of hits ? [0, 1] : [0]) {
        const colour = hits ? (side ? colours.same : colours.other) : colours.all;
        const cut = this.cut[(this.at * 2 + side) * this.bins + b] * units[side];
        bar(b, 0, cut, side, colour, 1);
        bar(b, cut, histogram[side][b] * units[side] - cut, side, colour, 0.35);
      }
    }
    for (let tick = Math.ceil(edges[0] * 5) / 5; tick <= 1.001; tick += 0.2) {
      parts.push(`<line x1="${x(tick)}" x2="${x(tick)}" y1="${base}" y2="${base + 4}" stroke="currentColor"/>
        <text x="${x(tick)}" y="${base + 15 * scale}" text-anchor="middle">${(Math.round(tick * 10) / 10).toFixed(1)}</text>`);
    }
    const count = (side, room) => whole(Math.round(this.shared && hits ? room / units[side] : most[side]));
    parts.push(`<line x1="${LEFT}" x2="${LEFT + this.inner}" y1="${axis}" y2="${axis}" stroke="currentColor"
      stroke-opacity="0.5"/><text x="${LEFT - 6}" y="${top + 8}" text-anchor="end">${count(0, axis - top)}</text>
      <text x="${LEFT - 6}" y="${axis + 4}" text-anchor="end">0</text>
      ${hits ? `<text x="${LEFT - 6}" y="${base + 2}" text-anchor="end">${count(1, base - axis)}</text>` : ""}
      <text x="${LEFT + this.inner / 2}" y="${height - 4}" text-anchor="middle">cosine similarity of anchor and negative</text>`);
    if (aligned) {
      const at = this.place(this.at);
      parts.push(`<rect x="${at}" y="${top}" width="${LEFT + this.inner - at}" height="${base - top}"
        fill="currentColor" fill-opacity="0.07"/><line x1="${at}" x2="${at}" y1="${top}" y2="${base}"
        stroke="currentColor" stroke-width="${2 * scale}"/><text x="${at > this.width - 90 ? at - 6 : at + 6}" y="${top + 12 * scale}"
        text-anchor="${at > this.width - 90 ? "end" : "start"}" font-weight="600">clipped →</text>`);
    }
    this.plot.innerHTML = `<svg class="${aligned ? "aligned" : ""}" height="${height}" role="img"
      aria-label="Histogram of similarities">${parts.join("")}</svg>`;
  }

  drawCurves() {
    const { amounts, clipped, pairs, hits, colours, symbol, scale } = this.data;
    const height = 150 * scale, base = height - 34 * scale, top = 8, y = (value) => base - value * (base - top);
    const lines = [[colours.share, "share clipped", (k) => (pairs ? clipped[k] / pairs : null)]];
    if (hits) {
      lines.push([colours.precision, "precision", (k) => this.precision(k)]);
      lines.push([colours.recall, "recall", (k) => this.recall(k)]);
    }
    const parts = [0, 0.5, 1].map((value) => `<line x1="${LEFT}" x2="${LEFT + this.inner}" y1="${y(value)}"
      y2="${y(value)}" stroke="currentColor" stroke-opacity="0.2"/><text x="${LEFT - 6}" y="${y(value) + 4}"
      text-anchor="end">${100 * value}%</text>`);
    const last = amounts.length - 1, at = this.place(this.at);
    for (const k of [0, 20, 40, 60, 80, 100].filter((tick) => tick <= last)) {
      parts.push(`<text x="${this.place(k)}" y="${base + 15 * scale}" text-anchor="middle">${amounts[k].toFixed(1)}</text>`);
    }
    for (const [colour, , value] of lines) {
      const points = amounts.map((_, k) => [k, value(k)]).filter(([, v]) => v !== null)
        .map(([k, v]) => `${this.place(k).toFixed(1)},${y(v).toFixed(1)}`);
      parts.push(`<polyline points="${points.join(" ")}" fill="none" stroke="${colour}" stroke-width="${2.5 * scale}"/>`);
      const here = value(this.at);
      if (here !== null) parts.push(`<circle cx="${at}" cy="${y(here)}" r="${4.5 * scale}" fill="${colour}"/>`);
    }
    parts.push(`<line x1="${at}" x2="${at}" y1="${top}" y2="${base}" stroke="currentColor" stroke-dasharray="3 3"/>
      <text x="${LEFT + this.inner / 2}" y="${height - 4}" text-anchor="middle">${symbol}: ${
      lines.map(([, name]) => name).join(", ")} at every position</text>`);
    this.curves.innerHTML = `<svg height="${height}" role="img"
      aria-label="${lines.map(([, name]) => name).join(", ")} at every position">${parts.join("")}</svg>`;
  }
}
