// The clipping slider: similarities of the negatives, which of them are clipped, and the resulting numbers.
//
// Python sends the counts at every slider position once; moving the slider looks them up. Releasing it sends
// {rule, value, n} as `amount`. Of every amount, more clipping is left: the axis of a rising one is reversed. What is
// clipped is pale, what is not is strong.

const LEFT = 46, RIGHT = 14; // px, margins of the plots
const THUMB = 16; // px, the browser's slider thumb
const PAUSE = 150; // ms from a key press to the message to the server
const TICKS = [0, 20, 40, 60, 80, 100]; // slider positions with a number

export default function (component) {
  const { parentElement, data, setStateValue } = component;
  const dial = mountOnce(parentElement.querySelector(".histogram"), Dial);
  dial.send = setStateValue;
  dial.update(data);
  return () => dial.close();
}

const percent = (value) => (value === null ? "–" : `${(100 * value).toFixed(value < 0.1 && value > 0 ? 1 : 0)}%`);
const whole = (value) => value.toLocaleString("en-US");
const round = (value) => { // down to one digit
  const tens = 10 ** Math.floor(Math.log10(Math.max(1, value)));
  return Math.floor(value / tens) * tens;
};

class Dial {
  constructor(root) {
    this.root = root;
    this.linear = false; // or heights by the square root of counts, so that rare pairs are seen
    this.sent = 0;
    this.numbers = root.appendChild(element("div", { class: "numbers", "aria-live": "polite" }));
    this.legend = root.appendChild(element("div", { class: "legend" }));
    this.plot = root.appendChild(element("div", { class: "plot" }));
    this.slider = root.appendChild(element("input", { type: "range" }));
    this.ends = root.appendChild(element("div", { class: "ends" }));
    this.reached = root.appendChild(element("div", { class: "reached" }));
    this.details = root.appendChild(element("div", { class: "numbers details" }));
    this.curves = root.appendChild(element("div", { class: "curves" }));
    this.slider.oninput = () => this.turn(this.flip(Number(this.slider.value)));
    this.slider.onchange = () => this.report();
    this.plot.onpointerdown = (event) => this.grab(event);
    this.plot.onpointermove = (event) => this.held && this.turn(this.under(event));
    this.plot.onpointerup = this.plot.onpointercancel = () => {
      if (this.held) this.report();
      this.held = false;
    };
    this.sizes = new ResizeObserver(() => this.root.clientWidth !== this.width && this.resize()); // it also fires at the start
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
    this.slider.setAttribute("aria-label", data.label);
    if (changed || (moved && !waiting)) this.at = this.nearest(data.amount);
    this.slider.value = this.flip(this.at);
    this.buildLegend();
    this.buildEnds();
    this.resize();
  }

  // Slider step of position k, and the other way round: ascending amounts clip less to the right, rising ones more.
  flip(k) {
    return this.data.rising ? this.data.amounts.length - 1 - k : k;
  }

  amount(k) {
    const { symbol, amounts } = this.data;
    return `${symbol} = ${amounts[k].toFixed(amounts[1] - amounts[0] < 0.0099 ? 3 : 2)}`;
  }

  nearest(amount) {
    const apart = this.data.amounts.map((value) => Math.abs(value - amount));
    return apart.indexOf(Math.min(...apart));
  }

  turn(at) {
    this.at = Math.min(this.data.amounts.length - 1, Math.max(0, Math.round(at)));
    this.slider.value = this.flip(this.at);
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
    return LEFT + (this.flip(k) / last) * this.inner;
  }

  resize() {
    if (!this.data || !this.root.clientWidth) return;
    this.width = this.root.clientWidth;
    this.inner = Math.max(50, this.width - LEFT - RIGHT);
    const last = this.data.amounts.length - 1, from = this.place(this.flip(0)), to = this.place(this.flip(last));
    this.slider.style.marginLeft = `${from - THUMB / 2}px`;
    this.slider.style.width = `${to - from + THUMB}px`;
    this.ends.style.marginLeft = `${from}px`;
    this.ends.style.width = `${to - from}px`;
    this.draw();
  }

  buildEnds() {
    const last = this.data.amounts.length - 1;
    const [most, least] = [0, last].map((step) => this.amount(this.flip(step)));
    const none = this.data.clipped[this.flip(last)] ? "almost none" : "no clipping";
    this.ends.replaceChildren(element("span", {}, `← more is clipped (${most})`), element("span", {}, `${none} (${least})`));
  }

  buildLegend() {
    const { hits, colours, pale, figures, savable } = this.data;
    this.legend.hidden = !figures;
    const swatch = (colour, before, text) => {
      const mark = element("i");
      mark.style.background = colour;
      return element("span", {}, mark, element("span", { class: "long" }, before), text);
    };
    const both = ({ other, same, all }) => (hits ? `linear-gradient(90deg, ${other} 50%, ${same} 50%)` : all);
    const entries = hits
      ? [swatch(colours.other, "other class: ", "true negatives"), swatch(colours.same, "same class: ", "false negatives")]
      : [swatch(colours.all, "", "negatives, of unknown class")];
    const button = (text, title, onclick) => Object.assign(element("button", { type: "button" }, text), { title, onclick });
    const scales = button(
      this.linear ? "Root scale" : "Linear scale",
      "The root scale makes rare pairs visible; the linear scale shows how rare they are.",
      () => {
        this.linear = !this.linear;
        this.buildLegend();
        this.draw();
      },
    );
    const buttons = element("span", { class: "buttons" }, scales);
    if (savable) buttons.append(
      button("SVG", "Save the current figure.", () => this.save("svg", "image/svg+xml", this.svg())),
      button("CSV", "Save the counts at every slider position.", () => this.save("csv", "text/csv", this.csv())),
    );
    this.legend.replaceChildren(...entries, swatch(both(colours), "strong: ", "not clipped"), swatch(both(pale), "pale: ", "✂ clipped"), buttons);
  }

  save(ending, type, text) {
    const url = URL.createObjectURL(new Blob([text], { type }));
    element("a", { href: url, download: `clipping-${this.data.rule}.${ending}` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  }

  svg() {
    const plots = [this.plot, this.reached, this.curves].map((part) => part.querySelector("svg")).filter(Boolean);
    const colour = getComputedStyle(this.root).color, wide = this.width;
    let high = 0;
    const parts = plots.map((plot) => {
      const part = `<g transform="translate(0 ${high})">${plot.innerHTML}</g>`;
      high += Number(plot.getAttribute("height"));
      return part;
    });
    return `<svg xmlns="http://www.w3.org/2000/svg" width="${wide}" height="${high}" viewBox="0 0 ${wide} ${high}" color="${colour}"
      font-family="sans-serif"><style>text { fill: currentColor; font-size: 12px }</style>${parts.join("")}</svg>`;
  }

  csv() {
    const { symbol, amounts, clipped, pairs, removed, reached } = this.data;
    const of = (values, k) => values?.[k] ?? "";
    const lines = amounts.map((amount, k) =>
      [amount, clipped[k], pairs ? clipped[k] / pairs : "", this.precision(k) ?? "", this.recall(k) ?? "",
        of(removed?.[1], k), of(removed?.[0], k), of(reached?.values, k)].join(","));
    const names = "clipped,share,precision,recall,gain,price,mAP";
    return `\ufeff${symbol},${names}\n${lines.join("\n")}\n`;
  }

  draw() {
    this.slider.setAttribute("aria-valuetext", this.amount(this.at));
    this.drawNumbers();
    this.details.hidden = !this.data.figures;
    for (const [part, svg] of [[this.plot, "drawHistogram"], [this.reached, "drawReached"], [this.curves, "drawCurves"]]) {
      if (this.data.figures) this[svg]();
      else part.replaceChildren();
    }
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
    const { clipped, pairs, hits, false: negatives, colours, removed, reached, text, tips } = this.data, k = this.at;
    const number = (name, value, label, colour) => {
      const words = element("span", {});
      if (colour) words.append(element("i"));
      if (colour) words.firstChild.style.background = colour;
      const [first, ...rest] = label.split(/(?=[:; ])/); // the word that its sentence explains
      const word = tips[name] ? Object.assign(element("u", {}, first), { title: tips[name] }) : first;
      words.append(word, rest.join(""));
      return element("div", { class: "number", "data-name": name }, element("b", {}, value), words);
    };
    const share = pairs ? clipped[k] / pairs : 0;
    const numbers = [
      number("amount", this.amount(k), text),
      number("clipped", whole(clipped[k]), `of ${whole(pairs)} pairs clipped: ${percent(share)}`),
    ];
    if (removed && hits) {
      numbers.push(
        number("gain", percent(removed[1][k]), "repulsion on false negatives removed: the gain", colours.same),
        number("price", percent(removed[0][k]), "repulsion on true negatives lost: the price", colours.other),
      );
    } else if (removed) numbers.push(number("removed", percent(removed[0][k]), "of the repulsion removed", colours.all));
    if (reached) {
      const map = reached.values[k];
      const label = `${reached.name} of a head so trained; ${reached.none.toFixed(3)} if unclipped`;
      numbers.push(number("map", map === null ? "–" : map.toFixed(3), label));
    }
    this.numbers.replaceChildren(...numbers);
    if (!this.data.figures) return;
    const details = [number("share", percent(share), "share of pairs clipped", colours.share)];
    if (hits) {
      details.push(
        number("precision", percent(this.precision(k)), "precision: share of clipped pairs that are false", colours.precision),
        number("recall", percent(this.recall(k)),
          `recall: ${whole(hits[k])} of ${whole(negatives)} false negatives are clipped`, colours.recall),
      );
    }
    this.details.replaceChildren(...details);
  }

  // Other classes above the axis, the same class below it, on one scale.
  drawHistogram() {
    const { edges, histogram, aligned, hits, colours, scale, pale, levels } = this.data;
    const height = (hits ? 190 : 156) + 34 * scale, base = height - 34 * scale, top = 8, wide = this.inner / this.bins;
    const x = (value) => LEFT + ((value - edges[0]) / (1 - edges[0])) * this.inner;
    const sides = hits ? [0, 1] : [0], long = (count) => (this.linear ? count : Math.sqrt(count));
    const most = sides.map((side) => Math.max(1, ...histogram[side]));
    const unit = (base - top) / most.reduce((sum, count) => sum + long(count), 0);
    const axis = top + unit * long(most[0]);
    const parts = [], y = (count, side) => (side ? axis + unit * long(count) : axis - unit * long(count));
    const bar = (b, from, to, side, kind, clipped) => {
      if (to <= from) return;
      const [upper, lower] = [y(from, side), y(to, side)].sort((one, other) => one - other);
      const outline = clipped ? ` stroke="${colours[kind]}" stroke-width="1" stroke-opacity="0.9"` : "";
      parts.push(`<rect class="bar" x="${(LEFT + b * wide).toFixed(1)}" y="${upper.toFixed(1)}" height="${(lower - upper).toFixed(1)}"
        width="${Math.max(0.5, wide - 1).toFixed(1)}" fill="${(clipped ? pale : colours)[kind]}"${outline}/>`);
    };
    for (let b = 0; b < this.bins; b++) {
      for (const side of sides) {
        const kind = hits ? (side ? "same" : "other") : "all";
        const cut = this.cut[(this.at * 2 + side) * this.bins + b];
        bar(b, 0, cut, side, kind, true);
        bar(b, cut, histogram[side][b], side, kind, false);
      }
    }
    for (let tick = Math.ceil(edges[0] * 5) / 5; tick <= 1.001; tick += 0.2) {
      parts.push(`<line x1="${x(tick)}" x2="${x(tick)}" y1="${base}" y2="${base + 4}" stroke="currentColor"/>
        <text x="${x(tick)}" y="${base + 15 * scale}" text-anchor="middle">${(Math.round(tick * 10) / 10).toFixed(1)}</text>`);
    }
    parts.push(`<line x1="${LEFT}" x2="${LEFT + this.inner}" y1="${axis}" y2="${axis}" stroke="currentColor"
      stroke-opacity="0.5"/><text x="${LEFT + this.inner / 2}" y="${height - 4}"
      text-anchor="middle">cosine similarity of anchor and negative; height: ${this.linear ? "" : "square root of the "}pairs</text>`);
    let free = -Infinity; // y of the last label
    for (const [side, count] of [[0, round(most[0])], [0, round(most[0] / 10)], [0, 0], ...(hits ? [[1, round(most[1])]] : [])]) {
      if (y(count, side) - free < 11 * scale) continue;
      free = y(count, side);
      parts.push(`<text x="${LEFT - 6}" y="${free + 4}" text-anchor="end">${whole(count)}</text>`);
    }
    const cut = aligned ? this.data.amounts[this.at] : levels?.[this.at] ?? null;
    if (cut !== null) {
      const at = x(cut), left = at > this.width - 110;
      const name = aligned ? "clipped →" : `mean cut ${cut.toFixed(2)}`;
      parts.push(`<rect x="${at}" y="${top}" width="${Math.max(0, LEFT + this.inner - at)}" height="${base - top}"
        fill="currentColor" fill-opacity="${aligned ? 0.06 : 0}"/><line class="cut" x1="${at}" x2="${at}" y1="${top}"
        y2="${base}" stroke="currentColor" stroke-width="${2 * scale}"${aligned ? "" : ' stroke-dasharray="6 4"'}/>
        <text x="${left ? at - 6 : at + 6}" y="${top + 12 * scale}" class="halo"
        text-anchor="${left ? "end" : "start"}" font-weight="600">${name}</text>`);
    }
    this.plot.innerHTML = `<svg class="${aligned ? "aligned" : ""}" height="${height}" role="img"
      aria-label="Histogram of similarities">${parts.join("")}</svg>`;
  }

  // mAP of heads trained at the slider's positions, and a dot at the current one.
  drawReached() {
    const { reached, scale, amounts, symbol } = this.data;
    if (!reached) {
      this.reached.replaceChildren(element("div", { class: "title" }, "No head was trained with this rule in advance."));
      return;
    }
    const maps = reached.trained.map(([, map]) => map), tenth = (value, way) => Math[way](value * 10) / 10;
    const low = tenth(Math.min(...maps), "floor"), high = tenth(Math.max(...maps) + 0.02, "ceil");
    const height = 94 + 18 * scale, base = height - 18 * scale, top = 6;
    const y = (map) => base - ((map - low) / (high - low)) * (base - top);
    const last = amounts.length - 1, at = this.place(this.at), right = LEFT + this.inner, parts = [];
    for (let tick = low; tick <= high + 0.001; tick += 0.1) {
      parts.push(`<line x1="${LEFT}" x2="${right}" y1="${y(tick)}" y2="${y(tick)}" stroke="currentColor"
        stroke-opacity="0.12"/><text x="${LEFT - 6}" y="${y(tick) + 4}" text-anchor="end">${tick.toFixed(1)}</text>`);
    }
    const points = amounts.map((_, k) => [k, reached.values[k]]).filter(([, map]) => map !== null)
      .map(([k, map]) => `${this.place(k).toFixed(1)},${y(map).toFixed(1)}`);
    const none = y(reached.none), colour = this.data.colours.share;
    parts.push(`<line x1="${LEFT}" x2="${right}" y1="${none}" y2="${none}" stroke="currentColor" stroke-dasharray="4 4"
      stroke-opacity="0.6"/><polyline points="${points.join(" ")}" fill="none" stroke="${colour}"
      stroke-width="${4 * scale}" stroke-linejoin="round"/>`);
    const span = amounts[last] - amounts[0];
    for (const [amount, map] of reached.trained) {
      const x = this.place(((amount - amounts[0]) / span) * last);
      parts.push(`<circle cx="${x.toFixed(1)}" cy="${y(map).toFixed(1)}" r="${3.5 * scale}" fill="${colour}"/>`);
    }
    const map = reached.values[this.at];
    parts.push(`<line x1="${at}" x2="${at}" y1="${top}" y2="${base}" stroke="currentColor" stroke-dasharray="3 3"/>`);
    if (map !== null) {
      const side = at > right - 60 ? -1 : 1;
      parts.push(`<circle class="dot" cx="${at}" cy="${y(map)}" r="${6.5 * scale}" fill="currentColor"/>
        <text class="halo" x="${at + side * 11 * scale}" y="${y(map) - 6 * scale}" font-weight="600"
        text-anchor="${side < 0 ? "end" : "start"}">${map.toFixed(3)}</text>`);
    }
    for (const k of TICKS.filter((tick) => tick <= last)) {
      parts.push(`<text x="${this.place(k)}" y="${base + 15 * scale}" text-anchor="middle">${amounts[k].toFixed(1)}</text>`);
    }
    const title = element("div", { class: "title" }, element("b", {}, reached.name), ` ${reached.text}, over ${symbol}. Dot between points: interpolated. Dashed: no clipping.`);
    const svg = element("div");
    svg.innerHTML = `<svg height="${height}" role="img" aria-label="${reached.name} at every position">${parts.join("")}</svg>`;
    this.reached.replaceChildren(title, svg);
  }

  drawCurves() {
    const { amounts, clipped, pairs, hits, colours, symbol, scale } = this.data;
    const height = 96 + 34 * scale, base = height - 34 * scale, top = 8, y = (value) => base - value * (base - top);
    const lines = [[colours.share, "share clipped", (k) => (pairs ? clipped[k] / pairs : null)]];
    if (hits) {
      lines.push([colours.precision, "precision", (k) => this.precision(k)]);
      lines.push([colours.recall, "recall", (k) => this.recall(k)]);
    }
    const parts = [0, 0.5, 1].map((value) => `<line x1="${LEFT}" x2="${LEFT + this.inner}" y1="${y(value)}"
      y2="${y(value)}" stroke="currentColor" stroke-opacity="0.2"/><text x="${LEFT - 6}" y="${y(value) + 4}"
      text-anchor="end">${100 * value}%</text>`);
    const last = amounts.length - 1, at = this.place(this.at);
    for (const k of TICKS.filter((tick) => tick <= last)) {
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
