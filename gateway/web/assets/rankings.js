// What sells, what sells together, and how far people get: lists with bars.

import { element, write } from "./dom.js";
import { count, counted, money, share } from "./format.js";
import { keyed } from "./keyed.js";

/** The best sold products. */
export function showProducts(list, { products }) {
  const most = Math.max(1, ...products.map(({ units }) => units));
  ranking(list, products, {
    key: ({ productId }) => String(productId),
    label: ({ name }) => name,
    value: ({ units }) => count(units),
    note: ({ orders, revenue, currencyCode }) =>
      `${counted(orders, "order")} · ${money(revenue, currencyCode)} paid`,
    part: ({ units }) => units / most,
  });
}

/**
 * Products bought together.
 * @param {Map<number, string>} names as far as they are known
 */
export function showPairs(list, { pairs }, names) {
  const most = Math.max(1, ...pairs.map(({ orders }) => orders));
  const name = (id) => names.get(id) ?? `Product ${id}`;
  ranking(list, pairs, {
    key: ({ productId, otherProductId }) => `${productId} ${otherProductId}`,
    label: ({ productId, otherProductId }) => `${name(productId)} + ${name(otherProductId)}`,
    value: ({ orders }) => count(orders),
    part: ({ orders }) => orders / most,
  });
}

const STAGES = {
  FUNNEL_STAGE_KIND_VIEWED: "Viewed a product",
  FUNNEL_STAGE_KIND_ADDED_TO_CART: "Added to the cart",
  FUNNEL_STAGE_KIND_CHECKOUT_STARTED: "Started the checkout",
  FUNNEL_STAGE_KIND_ORDERED: "Ordered",
  FUNNEL_STAGE_KIND_PAID: "Paid",
};

/** How many users got how far. */
export function showFunnel(list, { stages }) {
  const widest = Math.max(1, ...stages.map(({ users }) => users));
  const rows = stages.map((stage, index) => ({ ...stage, before: stages[index - 1]?.users }));
  ranking(list, rows, {
    key: ({ kind }) => kind,
    label: ({ kind }) => STAGES[kind] ?? kind,
    value: ({ users }) => count(users),
    // Who orders over the API never views a product here: a share above all says nothing.
    note: ({ users, before }) =>
      before > 0 && users <= before ? `${share(users, before)} of the stage before` : "",
    part: ({ users }) => users / widest,
  });
}

function ranking(list, items, { key, label, value, note = () => "", part }) {
  keyed(list, items, key, () => {
    const name = element("span", { class: "rank-name" });
    const number = element("span", { class: "rank-value number" });
    const bar = element("span", { class: "bar", "aria-hidden": "true" });
    const small = element("span", { class: "rank-note small quiet number" });
    return {
      node: element("li", { class: "rank" }, name, number, bar, small),
      update(item) {
        write(name, label(item));
        write(number, value(item));
        write(small, note(item));
        bar.style.setProperty("--part", part(item).toFixed(3));
      },
    };
  });
}
