// Arrow keys step through the pages by clicking the links that Python drew; a button restarts the app.
// Once per session, while the browser is idle, the scripts of other pages are fetched and compiled; running them as
// well would block the page for up to half a second.
// The browser's Back button undoes one action of the visitor: Streamlit adds a history entry for every change of the
// address that Python makes, three of them when an image leads to another page.

const TYPES = "input, textarea, select, canvas, iframe, video, audio, [contenteditable='true']";
const ROLES = ["slider", "radio", "radiogroup", "tab", "tablist", "listbox", "option", "combobox", "menu", "menuitem",
  "grid", "gridcell", "spinbutton", "textbox", "tree", "treeitem"];
const USES_ARROWS = [TYPES, ...ROLES.map((role) => `[role='${role}']`)].join(", ");
const LINKS = { ArrowLeft: ".st-key-lesson-previous a", ArrowRight: ".st-key-lesson-next a" };

const PAUSE = 1500; // ms for drawing the first page undisturbed
let started = false;

async function loadAhead(scripts) {
  if (started) return;
  started = true;
  await new Promise((done) => setTimeout(done, PAUSE));
  for (const href of scripts) {
    document.head.append(Object.assign(document.createElement("link"), { rel: "modulepreload", href }));
  }
}

function oneEntryPerAction() {
  if (Object.hasOwn(history, "pushState")) return; // an earlier copy of this script has done it
  let acted = false; // since the last entry
  for (const act of ["pointerdown", "keydown"]) addEventListener(act, () => (acted = true), true);
  addEventListener("popstate", () => (acted = false), true);
  history.pushState = (...entry) => {
    const method = acted ? "pushState" : "replaceState";
    acted = false;
    History.prototype[method].apply(history, entry);
  };
}

oneEntryPerAction();

function step(event) {
  if (event.key === "Escape" && document.activeElement?.matches(".term")) document.activeElement.blur();
  const link = LINKS[event.key];
  if (!link || event.defaultPrevented || event.repeat) return;
  if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const used = event.composedPath().some((node) => node instanceof Element && node.matches(USES_ARROWS));
  if (used) return;
  event.preventDefault(); // so that a second instance, briefly alive while pages change, ignores it
  document.querySelector(link)?.click();
}

class Restart {
  constructor(root) {
    this.button = element("button", { type: "button", title: "Restart at Overview with the default settings." }, "↺ Back to the start");
    root.append(this.button);
  }
}

export default function (component) {
  const { parentElement, data } = component;
  const { button } = mountOnce(parentElement.querySelector(".shell"), Restart);
  button.onclick = () => location.assign(data.start);
  loadAhead(data.ahead.map((path) => new URL(path, location.origin).href));
  const listen = (event) => step(event); // a new function, so that an older instance does not remove it
  document.addEventListener("keydown", listen);
  return () => document.removeEventListener("keydown", listen);
}
