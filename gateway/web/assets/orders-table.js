// Orders as rows of a table.

import { element } from "./dom.js";
import { money, pointInTime } from "./format.js";
import { keyed } from "./keyed.js";
import { badge } from "./status.js";

/** The page of an order. */
export const orderAddress = (orderId) => `/console/orders/${encodeURIComponent(orderId)}`;

/** More orders at once than this are a flow, and no row of it is special. */
const FEW = 3;
/** Ids of the rows that each table has. */
const shownIn = new WeakMap();
const idOf = ({ orderId }) => orderId;

/**
 * Makes a table's rows those of the orders.
 * @param {boolean} isNews whether who is new has just been placed, not just been looked up
 */
export function showOrders(body, orders, isNews) {
  const before = shownIn.get(body);
  const fresh = orders.filter((order) => !before?.has(idOf(order))).length;
  shownIn.set(body, new Set(orders.map(idOf)));
  const arrived = isNews && before && fresh <= FEW ? "arrived" : undefined;
  keyed(body, orders, idOf, (order) => {
    const status = element("td", { class: "order-status" });
    const { orderId, userId, total, currencyCode, placedAt } = order;
    const node = element(
      "tr",
      { class: arrived },
      element(
        "td",
        { class: "order-id" },
        element("a", { class: "mono", href: orderAddress(orderId) }, orderId),
      ),
      element(
        "td",
        { class: "order-user number" },
        element("a", { href: `?user=${userId}`, "data-user": userId }, String(userId)),
      ),
      element("td", { class: "order-total number" }, money(total, currencyCode)),
      status,
      element(
        "td",
        { class: "order-placed" },
        element("time", { datetime: placedAt }, pointInTime(placedAt)),
      ),
    );
    let shown;
    return {
      node,
      update({ status: name }) {
        if (name === shown) return;
        shown = name;
        status.replaceChildren(badge(name));
      },
    };
  });
}
