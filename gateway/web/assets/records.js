// The Kafka records of an order, each to be opened.

import { askAsOperator } from "./api.js";
import { byId, element } from "./dom.js";
import { count } from "./format.js";
import { keyed } from "./keyed.js";
import { position, recordParts, shortType, timeOf } from "./record.js";
import { SignIn } from "./sign-in.js";

/** Records come a moment after what they tell of: so often a final order's are looked for. */
const LOOKS = 4;
/** Between two of them, in milliseconds. */
const PAUSE = 1000;

export class Records {
  constructor(orderId) {
    this.path = `/orders/${encodeURIComponent(orderId)}/records`;
    this.signIn = new SignIn(byId("sign-in"), (mayTry) => {
      byId("records").hidden = !mayTry;
      if (mayTry) this.load();
    });
    byId("records-again").addEventListener("click", () => this.load());
    this.looks = 0;
    this.isFinal = false;
  }

  /** The order has come further. */
  follow({ final: isFinal }) {
    this.isFinal = isFinal;
    this.looks = 0;
    this.load();
  }

  /** Reads them anew; while one question is under way, it stays one. */
  async load() {
    clearTimeout(this.timer);
    if (this.isAsking) {
      this.isStale = true;
      return;
    }
    this.isAsking = true;
    this.isStale = false;
    try {
      this.show(await askAsOperator(this.path));
      this.signIn.accept();
    } catch (failure) {
      if (failure.isRefusal) this.signIn.refuse(failure);
      else this.tell(`The records could not be read: ${failure.message}`);
    }
    this.isAsking = false;
    if (this.isStale) this.load();
  }

  show({ records, complete }) {
    keyed(byId("records"), records, position, (record) => ({ node: shown(record) }));
    this.looks += 1;
    const mayCome = !complete && this.looks < LOOKS;
    if (this.isFinal && mayCome) this.timer = setTimeout(() => this.load(), PAUSE);
    const isLacking = this.isFinal && !complete && !mayCome;
    this.tell(isLacking ? "The search ended before everything expected was found." : "");
  }

  tell(text) {
    byId("records-message").textContent = text;
    byId("records-problem").hidden = text === "";
  }
}

function shown(record) {
  const { bytes, timestamp, type } = record;
  const summary = element(
    "summary",
    { class: "entry-line" },
    element("span", { class: "record-type" }, shortType(type)),
    element("span", { class: "mono record-position" }, position(record)),
    element("span", { class: "quiet small number" }, timeOf(timestamp)),
    element("span", { class: "quiet small number" }, `${count(bytes)} B`),
  );
  const details = element("details", { class: "record" }, summary);
  // An order of a hundred lines has a hundred records: their parts are made once they are wanted.
  details.addEventListener("toggle", () => details.append(recordParts(record)), { once: true });
  return element("li", {}, details);
}
