// A button that copies the address of this view. Without the clipboard (a page that is not secure) it selects a field.

export default function (component) {
  const { parentElement, data } = component;
  mountOnce(parentElement.querySelector(".share"), Share).update(data);
}

const SHOWN = 2500; // ms

class Share {
  constructor(root) {
    this.button = element("button", { type: "button" });
    this.status = element("span", { role: "status" });
    this.button.onclick = () => this.copy();
    root.append(this.button, this.status);
  }

  update(data) {
    this.data = data;
    this.button.textContent = data.label;
    this.button.title = data.hint;
  }

  async copy() {
    const copied = await this.write(location.href);
    this.status.textContent = copied ? this.data.copied : this.data.failed;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => (this.status.textContent = ""), SHOWN);
  }

  async write(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      const field = element("textarea", { "aria-hidden": "true", style: "position: fixed; opacity: 0" });
      document.body.append(field);
      field.value = text;
      field.select();
      const copied = document.execCommand("copy"); // old, but it works without a secure connection
      field.remove();
      return copied;
    }
  }
}
