// Images from the clipboard, and messages about the camera.
//
// mode "paste": an image pasted anywhere on the page, or read by the button, goes to the uploader inside `place` as if
// it had been chosen there. mode "camera": shows why no camera is available, if so.

const INPUT = '[data-testid="stFileUploaderDropzoneInput"]';
const TYPES = "input, textarea, [contenteditable='true']";
const INSECURE = "This page was opened over plain http";

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
  const say = (text) => (says.textContent = text);
  const reason = whyNoClipboard();
  say(reason || "Or press Ctrl+V (⌘V) anywhere on this page.");
  button.disabled = Boolean(reason);
  button.hidden = Boolean(reason);
  button.onclick = async () => {
    try {
      const files = await fromClipboard();
      say(files.length ? upload(files, data.place) : "The clipboard holds no image. Copy one, then paste again.");
    } catch (error) {
      say(`The browser denied access to the clipboard (${error.name}). Press Ctrl+V (⌘V) instead.`);
    }
  };
  const paste = (event) => {
    const files = [...(event.clipboardData?.files || [])].filter((file) => file.type.startsWith("image/"));
    const typing = event.composedPath().some((node) => node instanceof Element && node.matches(TYPES));
    if (files.length) {
      event.preventDefault();
      say(upload(files, data.place));
    } else if (!typing) {
      say("The clipboard holds no image. Copy one, then paste again.");
    }
  };
  document.addEventListener("paste", paste);
  return () => document.removeEventListener("paste", paste);
}

function whyNoClipboard() {
  if (navigator.clipboard?.read) return "";
  const why = window.isSecureContext
    ? "This browser does not let pages read images from the clipboard"
    : `${INSECURE}, so the browser offers no paste button (it would on localhost or https)`;
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

function upload(files, place) {
  const input = document.querySelector(`.${place} ${INPUT}`);
  if (!input) return "This page accepts no image.";
  const transfer = new DataTransfer();
  files.forEach((file) => transfer.items.add(file));
  input.files = transfer.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
  return files.length > 1 ? `Pasted ${files.length} images.` : "Pasted an image.";
}

async function explainCamera(root) {
  const say = (text) => root.replaceChildren(...(text ? [element("div", { class: "says", role: "status" }, text)] : []));
  say("");
  const devices = navigator.mediaDevices;
  if (!devices?.getUserMedia) {
    return say(
      window.isSecureContext
        ? "This browser gives pages no camera. Upload an image instead."
        : `${INSECURE}, and browsers allow the camera on localhost or https only. Upload an image instead.`,
    );
  }
  const available = await devices.enumerateDevices().catch(() => null);
  if (available && !available.some((device) => device.kind === "videoinput")) {
    return say("The browser finds no camera on this device. Upload an image instead.");
  }
  const permission = await navigator.permissions?.query({ name: "camera" }).catch(() => null);
  if (permission?.state === "denied") {
    say("The camera is blocked for this page; allow it in the address bar.");
  }
}
