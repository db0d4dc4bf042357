// Arrow keys step through the page first, by the buttons that Python drew, unless they belong to what has the focus; only
// then through the pages, which is why we listen before others do. A new step scrolls into view.

const OWN = ["input", "textarea", "select", "[contenteditable=true]", "[role=slider]", "[role=spinbutton]",
  "[role=radiogroup]", "[role=radio]", "[role=listbox]", "[role=combobox]", "[role=tablist]", "[role=menu]"].join(", ");
const BUTTONS = { ArrowLeft: ".st-key-walk-back button", ArrowRight: ".st-key-walk-next button" };
const DRAWN = 400; // milliseconds in which a new step is drawn
let arrived = 0;

function onKey(event, here) {
  if (!here.isConnected || !BUTTONS[event.key] || event.repeat || event.defaultPrevented) return;
  if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (event.composedPath().some((node) => node instanceof Element && node.matches(OWN))) return;
  const button = document.querySelector(BUTTONS[event.key]);
  if (!button || button.disabled || (event.key === "ArrowLeft" && !here.back)) return;
  event.preventDefault();
  button.click();
}

export default function ({ parentElement, data }) {
  const here = parentElement.querySelector(".steps");
  here.back = data.back; // what this very element says now, whichever instance listens
  here.dataset.step = data.step;
  const listen = (event) => onKey(event, here);
  document.addEventListener("keydown", listen, true);
  if (data.visit !== arrived) {
    arrived = data.visit;
    const behavior = matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth";
    if (data.visit) setTimeout(() => here.scrollIntoView({ behavior, block: "start" }), DRAWN);
  }
  return () => document.removeEventListener("keydown", listen, true);
}
