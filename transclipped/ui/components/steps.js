// Arrow keys step through the page by clicking the buttons that Python drew, unless the focused element uses them. At
// the ends they step through the pages instead, so this listener runs first. A new step scrolls into view.

const USES_ARROWS = ["input", "textarea", "select", "[contenteditable=true]", "[role=slider]", "[role=spinbutton]",
  "[role=radiogroup]", "[role=radio]", "[role=listbox]", "[role=combobox]", "[role=tablist]", "[role=menu]", "[data-arrows]"].join(", ");
const BUTTONS = { ArrowLeft: ".st-key-walk-back button", ArrowRight: ".st-key-walk-next button" };
const DRAWN = 400; // ms for drawing a new step
let lastVisit = 0;

function onKey(event, here) {
  if (!here.isConnected || !BUTTONS[event.key] || event.repeat || event.defaultPrevented) return;
  if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (event.composedPath().some((node) => node instanceof Element && node.matches(USES_ARROWS))) return;
  const button = document.querySelector(BUTTONS[event.key]);
  if (!button || button.disabled || (event.key === "ArrowLeft" && !here.back)) return;
  event.preventDefault();
  button.click();
}

export default function ({ parentElement, data }) {
  const here = parentElement.querySelector(".steps");
  here.back = data.back; // current for this element, whichever instance listens
  here.dataset.step = data.step;
  const listen = (event) => onKey(event, here);
  document.addEventListener("keydown", listen, true);
  if (data.visit !== lastVisit) {
    lastVisit = data.visit;
    const behavior = matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth";
    if (data.visit) setTimeout(() => here.scrollIntoView({ behavior, block: "start" }), DRAWN);
  }
  return () => document.removeEventListener("keydown", listen, true);
}
