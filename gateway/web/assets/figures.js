// The totals over all time, as a row of figures.

import { element, write } from "./dom.js";
import { briefMoney, count, share } from "./format.js";

export class Figures {
  /** @param {HTMLDListElement} list */
  constructor(list) {
    this.list = list;
    this.values = new Map();
  }

  /** @param {object | null} stats null: analytics is away, and what was known stays */
  show(stats) {
    this.list.classList.toggle("stale", stats === null);
    if (!stats) return;
    const settled = stats.ordersPaid + stats.ordersDeclined;
    const failed = stats.notificationsFailed;
    const [main, ...others] = stats.money;
    const sums = others.map(({ revenue, currencyCode }) => briefMoney(revenue, currencyCode));
    this.figure("Orders", count(stats.orders), `${count(stats.units)} pieces`);
    this.figure("Paid", count(stats.ordersPaid), `${share(stats.ordersPaid, settled)} of the settled`);
    this.figure(
      "Declined",
      count(stats.ordersDeclined),
      `${share(stats.ordersDeclined, settled)} of the settled`,
    );
    this.figure(
      "Mails sent",
      count(stats.notificationsSent),
      failed ? `${count(failed)} failed` : "none failed",
    );
    this.figure("Revenue", main ? briefMoney(main.revenue, main.currencyCode) : "–", sums.join(" · "));
    this.figure("User events", count(stats.userEvents), "views, carts, checkouts");
  }

  figure(name, text, note) {
    if (!this.values.has(name)) {
      const value = element("dd", { class: "figure-value number" });
      const small = element("dd", { class: "small quiet number" });
      this.values.set(name, { value, small });
      this.list.append(element("div", { class: "figure" }, element("dt", {}, name), value, small));
    }
    const { value, small } = this.values.get(name);
    write(value, text);
    write(small, note);
  }
}
