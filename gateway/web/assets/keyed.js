// A list that follows its data: who is still there keeps its element, and with it the focus, the
// selection and what was opened.

const rowsOf = new WeakMap();

/**
 * Makes a parent's children those of the items, in their order.
 * @param {Element} parent whose children nobody else touches
 * @param {object[]} items
 * @param {(item: object) => string} key the same for the same thing
 * @param {(item: object) => {node: Element, update?: (item: object) => void}} make an element,
 *   and how it takes in what is new
 */
export function keyed(parent, items, key, make) {
  const before = rowsOf.get(parent) ?? new Map();
  const rows = new Map();
  for (const item of items) {
    const name = key(item);
    const row = before.get(name) ?? make(item);
    row.update?.(item);
    rows.set(name, row);
  }
  for (const [name, row] of before) if (!rows.has(name)) row.node.remove();
  let at = parent.firstElementChild;
  for (const { node } of rows.values()) {
    // A node that is moved loses the focus, so those in place stay where they are.
    if (node === at) at = at.nextElementSibling;
    else parent.insertBefore(node, at);
  }
  rowsOf.set(parent, rows);
}
