// How things stand, as a word with a sign: colour alone says nothing here.

import { drawn, element } from "./dom.js";

/** Each sign as strokes in a square of 16. */
const SIGNS = {
  good: "M3.5 8.5l3 3 6-7",
  bad: "M4 4l8 8M12 4l-8 8",
  warn: "M8 3.5v5.5M8 12v.5",
  wait: "M8 4v4l2.5 2M14 8a6 6 0 1 1-12 0 6 6 0 0 1 12 0",
  none: "M4 8h8",
};

const WORDS = {
  ready: ["good", "Ready"],
  not_ready: ["warn", "Not ready"],
  unreachable: ["bad", "Unreachable"],
  unknown: ["none", "Unknown"],
  ORDER_STATUS_ACCEPTED: ["wait", "Accepted"],
  ORDER_STATUS_PAID: ["good", "Paid"],
  ORDER_STATUS_DECLINED: ["bad", "Declined"],
  PAYMENT_STATUS_PENDING: ["wait", "Pending"],
  PAYMENT_STATUS_CAPTURED: ["good", "Captured"],
  PAYMENT_STATUS_DECLINED: ["bad", "Declined"],
  NOTIFICATION_STATUS_PENDING: ["wait", "Pending"],
  NOTIFICATION_STATUS_SENT: ["good", "Sent"],
  NOTIFICATION_STATUS_FAILED: ["bad", "Failed"],
};

/** A status in words; a name that is not known stays as it is. */
export const word = (name) => (WORDS[name] ?? ["none", name])[1];

/** A status as sign and word. */
export function badge(name) {
  const [kind, text] = WORDS[name] ?? ["none", name];
  return badgeOf(kind, text);
}

/** Any word with a sign: good, bad, warn, wait or none. */
export function badgeOf(kind, text) {
  return element("span", { class: `badge ${kind}` }, sign(kind), element("span", {}, text));
}

function sign(kind) {
  const path = drawn("path", { d: SIGNS[kind] });
  return drawn("svg", { class: "sign", viewBox: "0 0 16 16", "aria-hidden": "true" }, path);
}
