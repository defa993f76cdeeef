// The latest orders, of all or of one user, page by page. The first page follows what happens.

import { ask } from "./api.js";
import { byId } from "./dom.js";
import { showOrders } from "./orders-table.js";

const SIZE = 20;
/** Least time between two looks at one user's orders, in milliseconds. */
const CALM = 1000;

export class OrdersList {
  constructor() {
    /** Tokens of the pages up to the one shown; the first needs none. */
    this.pages = [""];
    this.user = new URLSearchParams(location.search).get("user") ?? "";
    byId("user").value = this.user;
    byId("newer").addEventListener("click", () => this.turn(-1));
    byId("older").addEventListener("click", () => this.turn(1));
    byId("all-users").addEventListener("click", () => this.filter(""));
    byId("by-user").addEventListener("submit", (event) => {
      event.preventDefault();
      this.filter(byId("user").value.trim());
    });
    byId("orders").addEventListener("click", (event) => {
      const link = event.target.closest("a[data-user]");
      if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      this.filter(link.dataset.user);
    });
    addEventListener("popstate", () => {
      this.user = new URLSearchParams(location.search).get("user") ?? "";
      byId("user").value = this.user;
      this.pages = [""];
      this.load();
    });
  }

  /** Whether what is shown is what the stream tells of. */
  get isLive() {
    return this.user === "" && this.pages.length === 1;
  }

  /** Takes in the newest orders of all. */
  follow(orders) {
    if (this.isLive) this.show(orders, orders.length === SIZE, true);
    else if (this.pages.length === 1) this.loadSoon();
  }

  filter(user) {
    if (user !== this.user)
      history.pushState(null, "", user ? `?user=${encodeURIComponent(user)}` : location.pathname);
    this.user = user;
    byId("user").value = user;
    this.pages = [""];
    this.load();
  }

  async turn(by) {
    // What the stream tells comes without the next page's token.
    if (by > 0 && this.isLive) await this.load();
    if (by > 0 && !this.next) return;
    if (by > 0) this.pages.push(this.next);
    else this.pages.pop();
    await this.load();
  }

  loadSoon() {
    this.soon ??= setTimeout(() => {
      this.soon = undefined;
      if (!this.isLive && this.pages.length === 1) this.load();
    }, CALM);
  }

  /** Reads the page that is to be shown; only the newest question's answer counts. */
  async load() {
    const asked = (this.asked = {});
    this.tellFilter();
    const query = new URLSearchParams({
      pageSize: SIZE,
      ...(this.pages.at(-1) && { pageToken: this.pages.at(-1) }),
    });
    const path = this.user ? `/users/${encodeURIComponent(this.user)}/orders` : "/orders";
    try {
      const { orders, nextPageToken } = await ask(`${path}?${query}`);
      if (asked !== this.asked) return;
      this.next = nextPageToken;
      this.show(orders, nextPageToken !== "");
    } catch (failure) {
      if (asked !== this.asked) return;
      this.tell(`These orders could not be read: ${failure.message}`, true);
    }
  }

  show(orders, hasMore, isNews = false) {
    this.tellFilter();
    showOrders(byId("orders").tBodies[0], orders, isNews);
    byId("orders").hidden = orders.length === 0;
    const none = this.user
      ? `User ${this.user} has not ordered yet.`
      : "No order yet. Place one in the shop, and it shows up here.";
    this.tell(orders.length === 0 ? none : "", false);
    byId("newer").disabled = this.pages.length === 1;
    byId("older").disabled = !hasMore;
    byId("pages").hidden = orders.length === 0 && this.pages.length === 1;
  }

  tell(text, isBad) {
    const place = byId("orders-message");
    place.textContent = text;
    place.hidden = text === "";
    place.classList.toggle("bad", isBad);
  }

  tellFilter() {
    byId("all-users").hidden = this.user === "";
    byId("orders-title").textContent = this.user ? `Orders of user ${this.user}` : "Latest orders";
    byId("page-number").textContent = `Page ${this.pages.length}`;
  }
}
