// The cart: what is in it, kept while the tab lives.

const STORE = "ordermesh.cart";
/** Pieces of one product; the API takes 10,000. */
export const MOST = 99;

export class Cart {
  /** @param {Map<number, {id: number, name: string, price: number}>} products the shop's */
  constructor(products) {
    this.products = products;
    this.quantities = new Map();
    this.listeners = [];
    for (const [id, quantity] of saved()) {
      if (products.has(id) && quantity >= 1 && quantity <= MOST) this.quantities.set(id, quantity);
    }
  }

  /** Calls back after each change. */
  onChange(listener) {
    this.listeners.push(listener);
  }

  /** Puts so many more in, or takes them out; never below none. */
  add(id, more) {
    const quantity = Math.min(MOST, (this.quantities.get(id) ?? 0) + more);
    if (quantity > 0) this.quantities.set(id, quantity);
    else this.quantities.delete(id);
    this.changed();
  }

  clear() {
    this.quantities.clear();
    this.changed();
  }

  get isEmpty() {
    return this.quantities.size === 0;
  }

  /** What is in it, in the order in which it came. */
  get lines() {
    return [...this.quantities].map(([id, quantity]) => ({ ...this.products.get(id), quantity }));
  }

  /** In minor units. */
  get total() {
    return this.lines.reduce((sum, line) => sum + line.price * line.quantity, 0);
  }

  changed() {
    try {
      sessionStorage.setItem(STORE, JSON.stringify([...this.quantities]));
    } catch {
      // Storage may be off; the cart then lives as long as the page.
    }
    for (const listener of this.listeners) listener();
  }
}

function saved() {
  try {
    const stored = JSON.parse(sessionStorage.getItem(STORE) ?? "[]");
    return Array.isArray(stored) ? stored : [];
  } catch {
    return [];
  }
}
