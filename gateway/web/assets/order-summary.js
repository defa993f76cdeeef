// What an order is: who, what, how much, and how it stands.

import { byId, element } from "./dom.js";
import { count, money } from "./format.js";
import { facts, timeOf } from "./record.js";
import { badge } from "./status.js";
import { declined } from "./timeline.js";
import { traceAddress } from "./trace.js";

/** Shows an order's own facts, its lines and its payment. */
export function showSummary({ order, payment, unavailable }) {
  byId("status").replaceChildren(badge(order.status));
  const trace = traceAddress(order.traceId);
  const user = element("a", { href: `/console?user=${order.userId}` }, String(order.userId));
  byId("facts").replaceChildren(
    facts([
      ["User", user],
      ["Total", element("strong", { class: "number" }, money(order.total, order.currencyCode))],
      ["Accepted", timeOf(order.placedAt)],
      ["Stored", timeOf(order.storedAt)],
      ["Settled", order.settledAt ? timeOf(order.settledAt) : "not yet"],
      [
        "Trace",
        trace
          ? element("a", { href: trace, class: "mono" }, order.traceId)
          : element("span", { class: "mono" }, order.traceId || "none"),
      ],
    ]),
  );
  byId("lines").replaceChildren(...order.lines.map((line) => lineOf(line, order.currencyCode)));
  byId("total").textContent = money(order.total, order.currencyCode);
  byId("payment").replaceChildren(...paymentOf(payment, unavailable));
}

function lineOf({ name, quantity, unitPrice }, currency) {
  return element(
    "tr",
    {},
    element("th", { scope: "row", class: "line-name" }, name),
    element("td", { class: "number" }, count(quantity)),
    element("td", { class: "number" }, money(unitPrice, currency)),
    element("td", { class: "number" }, money(unitPrice * quantity, currency)),
  );
}

function paymentOf(payment, unavailable) {
  if (!payment) {
    const isAway = unavailable.includes("payments");
    return [element("p", { class: "quiet" }, isAway ? "Payments does not answer now." : "No payment yet.")];
  }
  const { amount, createdAt, currencyCode, declineCode, paymentId, providerReference, settledAt, status } =
    payment;
  return [
    facts(
      [
        ["Status", badge(status)],
        ["Why", declineCode ? declined(declineCode) : ""],
        ["Amount", element("span", { class: "number" }, money(amount, currencyCode))],
        ["Begun", timeOf(createdAt)],
        ["Settled", settledAt ? timeOf(settledAt) : "not yet"],
        ["Provider's id", element("span", { class: "mono" }, providerReference)],
        ["Payment id", element("span", { class: "mono" }, paymentId)],
      ].filter(([name]) => name !== "Provider's id" || providerReference),
    ),
  ];
}
