// A gallery: images in a grid, with frames and captions. A click, or Enter on the focused image, sends its id as
// `clicked`; the buttons below an image send {id, mark} as `marked`. Arrow keys, Home and End move the focus.

export default function (component) {
  const { parentElement, data, setTriggerValue } = component;
  const gallery = mountOnce(parentElement.querySelector(".gallery"), Gallery);
  gallery.send = setTriggerValue;
  gallery.update(data);
}

class Gallery {
  constructor(root) {
    this.root = root;
    root.role = "group";
    roving(root, "button.ask");
  }

  update(data) {
    const focused = this.root.getRootNode().activeElement;
    const before = this.buttons().indexOf(focused), mark = focused?.dataset?.mark;
    const marked = mark ? [...this.root.children].indexOf(focused.closest(".tile")) : -1;
    this.data = data;
    this.side = data.size;
    this.root.style.gridTemplateColumns = `repeat(auto-fill, minmax(min(100%, ${this.side + 8}px), max-content))`;
    const old = new Map([...this.root.querySelectorAll("img")].map((image) => [image.dataset.url, image]));
    this.root.replaceChildren(...data.tiles.map((tile) => this.tile(tile, old)));
    this.root.ariaLabel = data.clickable ? `${data.tiles.length} images; arrow keys move between them` : "images";
    this.root.restart();
    if (before >= 0) this.buttons()[Math.min(before, data.tiles.length - 1)]?.focus({ preventScroll: true });
    if (marked >= 0) this.root.children[marked]?.querySelector(`[data-mark="${mark}"]`)?.focus({ preventScroll: true });
  }

  tile(tile, old) {
    const ask = element(this.data.clickable ? "button" : "div", { class: "ask", "data-id": tile.id });
    ask.title = [tile.title, this.data.clickable ? this.data.hint : ""].filter(Boolean).join("\n");
    ask.append(tile.url ? this.image(tile, old) : element("span", { class: "none" }, tile.title || "no image"));
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

  // A tiny image is drawn at a whole multiple of its size, in screen pixels.
  image(tile, old) {
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
      const node = element("button", { class: `mark${tile.mark === mark ? " on" : ""}`, type: "button" }, sign);
      node.title = node.ariaLabel = `${name}: ${tile.title || tile.id}`;
      node.ariaPressed = String(tile.mark === mark);
      node.dataset.mark = mark;
      node.onclick = () => this.send("marked", { id: tile.id, mark: tile.mark === mark ? 0 : mark });
      return node;
    };
    return element("div", { class: "marks" }, button(1, "good", "good"), button(-1, "bad", "bad"));
  }

  buttons() {
    return [...this.root.querySelectorAll("button.ask")];
  }
}
