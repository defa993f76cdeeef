// Making elements. Texts only ever become text: nothing here parses markup.

const SVG = "http://www.w3.org/2000/svg";

/**
 * Makes an element.
 * @param {string} name such as "li"
 * @param {Record<string, unknown>} attributes `class`, `data-…`, `on…` (a listener), any other
 * @param {...(Node | string)} children texts and elements
 */
export function element(name, attributes = {}, ...children) {
  return dressed(document.createElement(name), attributes, children);
}

/** Makes an element of a picture, as `element` does. */
export function drawn(name, attributes = {}, ...children) {
  return dressed(document.createElementNS(SVG, name), attributes, children);
}

function dressed(made, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value != null) made.setAttribute(key, String(value));
  }
  made.append(...children);
  return made;
}

/** The element of an id, which the page surely has. */
export const byId = (id) => document.getElementById(id);

/** Writes a text where it is another one: what stays the same is not touched each second. */
export function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
