// A gallery: images in a grid, each with frame and caption. A click, or Enter on the focused image, sends its id as
// `clicked`; the small buttons below an image send {id, mark} as `marked`. Arrow keys, Home and End move the focus.

export default function (component) {
  const { parentElement, data, setTriggerValue } = component;
  const gallery = mountOnce(parentElement.querySelector(".gallery"), Gallery);
  gallery.send = setTriggerValue;
  gallery.update(data);
}

class Gallery {
  constructor(root) {
    this.root = root;
    this.at = 0; // the image that the Tab key reaches
    root.addEventListener("keydown", (event) => this.key(event));
    root.addEventListener("focusin", (event) => this.focus(this.asks().indexOf(event.target)));
  }

  update(data) {
    const focused = this.root.getRootNode().activeElement;
    const had = this.asks().indexOf(focused), mark = focused?.dataset?.mark;
    const marked = mark ? [...this.root.children].indexOf(focused.closest(".tile")) : -1;
    this.data = data;
    this.side = data.size;
    this.root.style.gridTemplateColumns = `repeat(auto-fill, minmax(${this.side + 8}px, max-content))`;
    const old = new Map([...this.root.querySelectorAll("img")].map((image) => [image.dataset.url, image]));
    this.root.replaceChildren(...data.tiles.map((tile) => this.tile(tile, old)));
    this.focus(Math.min(had >= 0 ? had : this.at, data.tiles.length - 1));
    if (had >= 0) this.asks()[this.at]?.focus({ preventScroll: true });
    if (marked >= 0) this.root.children[marked]?.querySelector(`[data-mark="${mark}"]`)?.focus({ preventScroll: true });
  }

  tile(tile, old) {
    const ask = element(this.data.clickable ? "button" : "div", { class: "ask", "data-id": tile.id });
    ask.title = [tile.title, this.data.clickable ? this.data.hint : ""].filter(Boolean).join("\n");
    ask.style.height = `${this.side + 8}px`;
    ask.append(tile.url ? this.picture(tile, old) : element("span", { class: "none" }, tile.title || "no image"));
    if (this.data.clickable) {
      ask.type = "button";
      ask.tabIndex = -1;
      ask.onclick = () => this.send("clicked", tile.id);
    }
    const figure = element("figure", { class: `tile ${tile.frame}${tile.on ? " on" : ""}` }, ask);
    figure.style.maxWidth = `${this.side + 8}px`;
    if (tile.caption) figure.append(element("figcaption", {}, tile.caption));
    if (this.data.markable) figure.append(this.marks(tile));
    return figure;
  }

  // A tiny image is drawn at a whole multiple of its pixels, counted in pixels of the screen.
  picture(tile, old) {
    const longer = Math.max(tile.width, tile.height), crisp = longer <= this.data.crisp;
    const density = window.devicePixelRatio || 1;
    const times = crisp ? Math.max(1, Math.floor((this.side * density) / longer)) / density : this.side / longer;
    const reused = old.get(tile.url); // so that it does not flicker
    old.delete(tile.url);
    const image = reused || element("img", { loading: "lazy", decoding: "async", draggable: "false" });
    if (!reused) {
      image.dataset.url = tile.url;
      const base = (this.data.base || "").replace(/^\/|\/$/g, "");
      image.src = base && tile.url.startsWith("/") ? `/${base}${tile.url}` : tile.url;
    }
    image.alt = tile.caption || tile.title;
    image.className = crisp ? "crisp" : "";
    image.style.width = `${Math.max(1, tile.width * times)}px`;
    image.style.height = `${Math.max(1, tile.height * times)}px`;
    return image;
  }

  marks(tile) {
    const button = (mark, sign, name) => {
      const made = element("button", { class: `mark${tile.mark === mark ? " on" : ""}`, type: "button" }, sign);
      made.title = made.ariaLabel = `${name}: ${tile.title || tile.id}`;
      made.ariaPressed = String(tile.mark === mark);
      made.dataset.mark = mark;
      made.onclick = () => this.send("marked", { id: tile.id, mark: tile.mark === mark ? 0 : mark });
      return made;
    };
    return element("div", { class: "marks" }, button(1, "good", "good"), button(-1, "bad", "bad"));
  }

  asks() {
    return [...this.root.querySelectorAll("button.ask")];
  }

  focus(place) {
    if (place < 0) return;
    this.at = place;
    this.asks().forEach((ask, i) => (ask.tabIndex = i === place ? 0 : -1));
  }

  key(event) {
    const asks = this.asks(), at = asks.indexOf(event.target.closest(".tile")?.querySelector("button.ask"));
    if (at < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
    const top = (ask) => Math.round(ask.getBoundingClientRect().top);
    const line = asks.filter((ask) => top(ask) === top(asks[0])).length || 1;
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -line, ArrowDown: line, Home: -at, End: asks.length - 1 - at };
    if (!(event.key in steps)) return;
    event.preventDefault(); // neither scrolls the page nor steps to the next one
    const next = Math.min(asks.length - 1, Math.max(0, at + steps[event.key]));
    this.focus(next);
    asks[next].focus();
  }
}
