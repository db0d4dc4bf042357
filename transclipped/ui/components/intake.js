// The clipboard as a way to bring images, and a word on the camera.
//
// mode "paste": an image pasted anywhere on the page, or read by the button, goes into the uploader inside `place`
// as if it had been chosen there. mode "camera": says why there is none, if there is none.

const INPUT = '[data-testid="stFileUploaderDropzoneInput"]';
const TYPES = "input, textarea, [contenteditable='true']";
const SAFE = "This page was opened over plain http";

export default function (component) {
  const { parentElement, data } = component;
  const root = parentElement.querySelector(".intake");
  if (data.mode === "camera") {
    explainCamera(root);
    return;
  }
  const button = element("button", { type: "button" }, "Paste from the clipboard");
  const says = element("div", { class: "says", role: "status" });
  root.replaceChildren(button, says);
  const tell = (text) => (says.textContent = text);
  const reason = whyNoClipboard();
  tell(reason || "Or press Ctrl+V (⌘V) anywhere on this page.");
  button.disabled = Boolean(reason);
  button.hidden = Boolean(reason);
  button.onclick = async () => {
    try {
      const files = await fromClipboard();
      tell(files.length ? hand(files, data.place) : "The clipboard holds no image. Copy one, then paste again.");
    } catch (error) {
      tell(`The browser did not let this page read the clipboard (${error.name}). Press Ctrl+V (⌘V) instead.`);
    }
  };
  const paste = (event) => {
    const files = [...(event.clipboardData?.files || [])].filter((file) => file.type.startsWith("image/"));
    const typing = event.composedPath().some((node) => node instanceof Element && node.matches(TYPES));
    if (files.length) {
      event.preventDefault();
      tell(hand(files, data.place));
    } else if (!typing) {
      tell("What you pasted holds no image. Copy one, then paste again.");
    }
  };
  document.addEventListener("paste", paste);
  return () => document.removeEventListener("paste", paste);
}

function whyNoClipboard() {
  if (navigator.clipboard?.read) return "";
  const why = window.isSecureContext
    ? "This browser lets no page read images from the clipboard by a button"
    : `${SAFE}, so the browser offers no paste button (it would on localhost or https)`;
  return `${why}. Press Ctrl+V (⌘V) anywhere on this page instead.`;
}

async function fromClipboard() {
  const files = [];
  for (const item of await navigator.clipboard.read()) {
    const type = item.types.find((name) => name.startsWith("image/"));
    if (type) files.push(new File([await item.getType(type)], `pasted.${type.slice(6)}`, { type }));
  }
  return files;
}

function hand(files, place) {
  const input = document.querySelector(`.${place} ${INPUT}`);
  if (!input) return "There is no place for an image on this page.";
  const carried = new DataTransfer();
  files.forEach((file) => carried.items.add(file));
  input.files = carried.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
  return files.length > 1 ? `Pasted ${files.length} images.` : "Pasted an image.";
}

async function explainCamera(root) {
  const tell = (text) => root.replaceChildren(...(text ? [element("div", { class: "says", role: "status" }, text)] : []));
  tell("");
  const devices = navigator.mediaDevices;
  if (!devices?.getUserMedia) {
    return tell(
      window.isSecureContext
        ? "This browser offers no camera to pages. Upload an image instead."
        : `${SAFE}, and browsers lend their camera only on localhost or https. Upload an image instead.`,
    );
  }
  const found = await devices.enumerateDevices().catch(() => null);
  if (found && !found.some((device) => device.kind === "videoinput")) {
    return tell("The browser finds no camera on this device. Upload an image instead.");
  }
  const asked = await navigator.permissions?.query({ name: "camera" }).catch(() => null);
  if (asked?.state === "denied") {
    tell("This browser was told not to lend its camera to this page; its address bar lets you allow it again.");
  }
}
