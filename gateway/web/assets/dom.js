// Making elements. Texts only ever become text: nothing here parses markup.

/**
 * Makes an element.
 * @param {string} name such as "li"
 * @param {Record<string, unknown>} attributes `class`, `data-…`, `on…` (a listener), any other
 * @param {...(Node | string)} children texts and elements
 */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
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
