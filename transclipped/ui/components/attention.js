// Attention drawn over an image: patches with little attention are dark, those with much are outlined, which shows on a
// dark image too. Point at a patch to see what it attends to, click or press Enter to keep it, Esc to release it.

const DARKEST = 0.8;
const STRONG = 0.5; // of the scale, from which a patch is outlined

export default function (component) {
  const { parentElement, data, setStateValue } = component;
  const look = mountOnce(parentElement.querySelector(".attention"), Look);
  look.send = setStateValue;
  look.update(data);
}

class Look {
  constructor(root) {
    this.box = element("div", { class: "box" });
    this.image = element("img", { alt: "the image" });
    this.grid = element("div", { class: "grid", role: "group", "aria-label": "patches of the image" });
    roving(this.grid, "button.cell");
    this.box.append(this.image, this.grid);
    this.says = element("div", { class: "says", "aria-live": "polite" });
    this.scale = element("div", { class: "scale" });
    root.replaceChildren(this.box, this.scale, this.says);
    root.addEventListener("keydown", (event) => event.key === "Escape" && this.keep(-1));
    this.grid.addEventListener("mouseleave", () => this.show(this.kept));
  }

  update(data) {
    const changed = data.image !== this.data?.image;
    this.data = data;
    this.rows = data.rows && { ...data.rows, bytes: decoded(data.rows.bytes, Uint8Array) };
    this.base = { ...data.base, bytes: decoded(data.base.bytes, Uint8Array) };
    this.kept = this.rows && data.token !== null ? data.token : -1;
    if (changed) this.image.src = data.image;
    this.image.style.imageRendering = data.crisp ? "pixelated" : "auto";
    if (this.cells?.length !== data.h * data.w || this.columns !== data.w || this.pointed !== Boolean(this.rows)) this.lay();
    this.show(this.kept);
  }

  lay() {
    const { h, w } = this.data;
    this.columns = w;
    this.pointed = Boolean(this.rows);
    this.grid.style.gridTemplateColumns = `repeat(${w}, 1fr)`;
    this.grid.style.gridTemplateRows = `repeat(${h}, 1fr)`;
    this.cells = Array.from({ length: h * w }, (_, i) => {
      const cell = element(this.pointed ? "button" : "div", { class: "cell", "data-place": i });
      if (this.pointed) {
        cell.type = "button";
        cell.ariaLabel = `patch in row ${Math.floor(i / w) + 1}, column ${(i % w) + 1}`;
        cell.addEventListener("mouseenter", () => this.show(i));
        cell.addEventListener("focus", () => this.show(i));
        cell.addEventListener("blur", () => this.show(this.kept));
        cell.addEventListener("click", () => this.keep(i === this.kept ? -1 : i));
      }
      return cell;
    });
    this.grid.replaceChildren(...this.cells);
    this.grid.restart();
  }

  keep(place) {
    if (!this.rows || place === this.kept) return;
    this.kept = place;
    this.show(place);
    this.send("token", { version: this.data.version, token: place < 0 ? null : place });
  }

  show(place) {
    const { h, w } = this.data, n = h * w;
    const from = place >= 0 ? this.rows : this.base, row = Math.max(0, place);
    const weights = from.bytes.subarray(row * n, (row + 1) * n), low = from.low[row], high = from.high[row];
    let best = 0;
    this.cells.forEach((cell, i) => {
      if (weights[i] > weights[best]) best = i;
      cell.style.background = `rgba(0, 0, 0, ${(DARKEST * (1 - weights[i] / 255)).toFixed(3)})`;
      cell.classList.toggle("strong", weights[i] >= 255 * STRONG);
      cell.classList.toggle("from", i === place);
      cell.classList.toggle("kept", i === this.kept);
    });
    const percent = (value) => `${(100 * value).toFixed(value < 0.0995 ? 1 : 0)}%`;
    this.scale.replaceChildren(`≤ ${percent(low)}`, element("i"), `${percent(high)} (uniform: ${percent(2 * low)})`);
    const at = (i) => `row ${Math.floor(i / w) + 1}, column ${(i % w) + 1}`;
    const who = place >= 0 ? `The patch in ${at(place)} attends most to` : this.data.who;
    this.says.textContent = `${who} ${at(best)}: ${percent(high)}.`;
    this.box.dataset.place = place;
    this.box.dataset.best = best;
  }
}
