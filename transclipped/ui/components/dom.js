// Begins the script of every component.

const drawings = new WeakMap();

// What draws in `root`: made the first time, the same one whenever Streamlit mounts the component again.
function mountOnce(root, Drawing) {
  if (!drawings.has(root)) drawings.set(root, new Drawing(root));
  return drawings.get(root);
}

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// Numbers that Python sent as base64.
function decoded(text, Numbers) {
  return new Numbers(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
}
