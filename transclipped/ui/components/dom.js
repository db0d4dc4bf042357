// Comes first in the script of every component.

const drawings = new WeakMap();

// The drawing of `root`: created once and reused when Streamlit mounts the component again.
function mountOnce(root, Drawing) {
  if (!drawings.has(root)) drawings.set(root, new Drawing(root));
  return drawings.get(root);
}

function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

// Numbers that Python sent as base64.
function decoded(text, Numbers) {
  return new Numbers(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
}

// One tab stop for all `selector` in `root`: arrow keys, Home and End move the focus. Further buttons of a `.tile`, such
// as marks, follow its own in the order of Tab. Call `root.restart()` after replacing them.
function roving(root, selector) {
  const buttons = () => [...root.querySelectorAll(selector)];
  const tile = (button) => button.closest(".tile") || button;
  const placeOf = (node) => buttons().findIndex((button) => tile(button).contains(node));
  let at = 0;
  const stop = (place) => {
    at = Math.max(0, place);
    buttons().forEach((button, i) => {
      for (const one of [button, ...tile(button).querySelectorAll("button")]) one.tabIndex = i === at ? 0 : -1;
    });
  };
  root.dataset.arrows = ""; // steps.js leaves them to it
  root.restart = () => stop(Math.min(at, buttons().length - 1));
  root.addEventListener("focusin", (event) => {
    const place = placeOf(event.target);
    if (place >= 0) stop(place);
  });
  root.addEventListener("keydown", (event) => {
    const all = buttons(), place = placeOf(event.target);
    if (place < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
    const top = (button) => Math.round(button.getBoundingClientRect().top);
    const columns = all.filter((button) => top(button) === top(all[0])).length || 1;
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns, Home: -place, End: all.length };
    if (!(event.key in steps)) return;
    event.preventDefault(); // do not scroll, nor step to another page
    all[Math.min(all.length - 1, Math.max(0, place + steps[event.key]))].focus();
  });
}
