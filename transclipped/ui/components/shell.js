// Arrow keys step through the pages by clicking the links that Python drew; a button opens the app afresh.
// Once a visit, when nothing else is to be done, the scripts that other pages draw with are fetched and compiled
// ahead; running them as well would halt the page for up to half a second.
// One press of the browser's Back button takes back one act of the visitor: Streamlit adds a step to the history for
// every change of the address that Python makes, three of them when an image leads to another page.

const TYPES = "input, textarea, select, canvas, iframe, video, audio, [contenteditable='true']";
const ROLES = ["slider", "radio", "radiogroup", "tab", "tablist", "listbox", "option", "combobox", "menu", "menuitem",
  "grid", "gridcell", "spinbutton", "textbox", "tree", "treeitem"];
const USES_ARROWS = [TYPES, ...ROLES.map((role) => `[role='${role}']`)].join(", ");
const LINKS = { ArrowLeft: ".st-key-lesson-previous a", ArrowRight: ".st-key-lesson-next a" };

const PAUSE = 1500; // milliseconds in which the first page is drawn undisturbed
let begun = false;

async function loadAhead(scripts) {
  if (begun) return;
  begun = true;
  await new Promise((done) => setTimeout(done, PAUSE));
  for (const href of scripts) {
    document.head.append(Object.assign(document.createElement("link"), { rel: "modulepreload", href }));
  }
}

function oneStepAnAct() {
  if (Object.hasOwn(history, "pushState")) return; // a newer copy of this script finds it done
  let acted = false; // since the last step
  for (const act of ["pointerdown", "keydown"]) addEventListener(act, () => (acted = true), true);
  addEventListener("popstate", () => (acted = false), true);
  history.pushState = (...entry) => {
    const method = acted ? "pushState" : "replaceState";
    acted = false;
    History.prototype[method].apply(history, entry);
  };
}

oneStepAnAct();

function step(event) {
  const link = LINKS[event.key];
  if (!link || event.defaultPrevented || event.repeat) return;
  if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const taken = event.composedPath().some((node) => node instanceof Element && node.matches(USES_ARROWS));
  if (taken) return;
  event.preventDefault(); // a second instance, alive for a moment while pages change, then leaves it alone
  document.querySelector(link)?.click();
}

class Restart {
  constructor(root) {
    this.button = element("button", { type: "button", title: "Opens Overview again, as at first." }, "↺ Back to the start");
    root.append(this.button);
  }
}

export default function (component) {
  const { parentElement, data } = component;
  const { button } = mountOnce(parentElement.querySelector(".shell"), Restart);
  button.onclick = () => location.assign(data.start);
  loadAhead(data.ahead.map((path) => new URL(path, location.origin).href));
  const listen = (event) => step(event); // one of its own, so that an older instance's end does not silence it
  document.addEventListener("keydown", listen);
  return () => document.removeEventListener("keydown", listen);
}
