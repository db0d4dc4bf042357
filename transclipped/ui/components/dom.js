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
