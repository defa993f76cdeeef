// A button beside each command that copies it, with this page's host filled in.

import { element } from "./dom.js";

for (const code of document.querySelectorAll(".command code")) {
  code.textContent = code.textContent.replaceAll("$HOST", location.origin);
  code.textContent = code.textContent.replaceAll("$NAME", location.hostname);
  const button = element("button", { type: "button", onclick: () => copy(code, button) }, "Copy");
  code.closest(".command").append(button);
}

async function copy(code, button) {
  try {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "Copied";
  } catch {
    // Not allowed, as over plain HTTP from afar: select it, so that a key copies it.
    getSelection().selectAllChildren(code);
    button.textContent = "Selected";
  }
  setTimeout(() => {
    button.textContent = "Copy";
  }, 2000);
}
