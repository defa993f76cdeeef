// Orders a minute as a table, newest first; filled only while it is open.

import { element, write } from "./dom.js";
import { count, minute } from "./format.js";
import { keyed } from "./keyed.js";

export class RateTable {
  /** @param {HTMLDetailsElement} details @param {HTMLTableSectionElement} body */
  constructor(details, body) {
    this.details = details;
    this.body = body;
    this.buckets = [];
    details.addEventListener("toggle", () => this.fill());
  }

  show(buckets) {
    this.buckets = buckets;
    this.fill();
  }

  fill() {
    if (!this.details.open) return;
    const newestFirst = this.buckets.toReversed();
    keyed(
      this.body,
      newestFirst,
      ({ startTime }) => startTime,
      ({ startTime }) => {
        const orders = element("td", { class: "number" });
        const paid = element("td", { class: "number" });
        const time = element("th", { scope: "row", class: "number" }, minute(Date.parse(startTime)));
        return {
          node: element("tr", {}, time, orders, paid),
          update(bucket) {
            write(orders, count(bucket.orders));
            write(paid, count(bucket.ordersPaid));
          },
        };
      },
    );
  }
}
