// Arrow keys step through the page first, unless they belong to what has the focus; only then through the pages, which
// is why we listen before others do. A new step scrolls into view.

const OWN = ["input", "textarea", "select", "[contenteditable=true]", "[role=slider]", "[role=spinbutton]",
  "[role=radiogroup]", "[role=radio]", "[role=listbox]", "[role=combobox]", "[role=tablist]", "[role=menu]"].join(", ");
const DRAWN = 400; // milliseconds in which a new step is drawn
let arrived = 0;

export default function ({ parentElement, data, setTriggerValue }) {
  const onKey = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step || !(step > 0 ? data.on : data.back) || event.repeat) return;
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || event.defaultPrevented) return;
    if (event.composedPath().some((node) => node instanceof Element && node.matches(OWN))) return;
    event.preventDefault();
    setTriggerValue("go", step);
  };
  document.addEventListener("keydown", onKey, true);
  if (data.visit !== arrived) {
    arrived = data.visit;
    const here = parentElement.querySelector(".walk");
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (data.visit) setTimeout(() => here.scrollIntoView({ behavior: calm ? "auto" : "smooth", block: "start" }), DRAWN);
  }
  return () => document.removeEventListener("keydown", onKey, true);
}
