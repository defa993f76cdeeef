// The stages of an order as a list that fills up.

import { element } from "./dom.js";
import { duration, instant } from "./format.js";

const REASONS = {
  DECLINE_CODE_GENERIC_DECLINE: "the card was declined",
  DECLINE_CODE_INSUFFICIENT_FUNDS: "there is not enough money on the card",
  DECLINE_CODE_EXPIRED_CARD: "the card has expired",
};

/** Why a payment was declined, in words. */
export const declined = (code) => REASONS[code] ?? "the provider gave no reason";

/** Shows when each stage was reached, counted from acceptance. */
export class Timeline {
  /** @param {HTMLOListElement} list where it stands */
  constructor(list) {
    this.accepted = undefined;
    this.mails = new Map();
    this.rows = {
      accepted: new Row("Accepted"),
      paid: new Row("Paid"),
      stored: new Row("Stored"),
      mails: new Row("Mails sent"),
    };
    list.replaceChildren(...Object.values(this.rows).map((row) => row.item));
  }

  /** Takes a stage in; a stage told twice changes nothing. */
  reach(name, data) {
    if (name === "accepted") {
      this.accepted = instant(data.at);
      this.rows.accepted.reach("");
    } else if (name === "stored" || name === "paid") {
      this.rows[name].reach(this.after(data.at));
    } else if (name === "declined") {
      const code = data.payment?.declineCode ?? data.order?.declineCode;
      this.rows.paid.fail("Payment declined", this.after(data.at), declined(code));
    } else if (name === "mail") {
      this.mails.set(data.notification.notificationId, data);
      this.rows.mails.note(`Mails sent: ${this.mails.size}`);
    } else if (name === "final") {
      this.finish(data.view);
    }
  }

  finish(view) {
    const failed = [...this.mails.values()].filter(
      ({ notification }) => notification.status === "NOTIFICATION_STATUS_FAILED",
    );
    const last = [...this.mails.values()].map(({ at }) => at).sort().at(-1);
    const all = view?.notifications?.length ?? this.mails.size;
    if (failed.length > 0) {
      const why = `${failed.length} of ${all} refused by the mail server`;
      this.rows.mails.fail("Mails not sent", this.after(last), why);
    } else {
      const what = all === 1 ? "1 mail sent" : `${all} mails sent`;
      this.rows.mails.reach(last ? this.after(last) : "", what);
    }
  }

  after(at) {
    return this.accepted === undefined || !at ? "" : `+${duration(instant(at) - this.accepted)}`;
  }
}

class Row {
  constructor(name) {
    this.name = element("span", {}, name);
    this.time = element("span", { class: "number" });
    this.item = element("li", { class: "stage" }, this.name, this.time);
  }

  note(name) {
    this.name.textContent = name;
  }

  reach(time, name = this.name.textContent) {
    this.item.className = "stage reached";
    this.time.textContent = time;
    this.note(name);
  }

  fail(name, time, why) {
    this.item.className = "stage reached failed";
    this.time.textContent = time;
    this.name.replaceChildren(name, element("span", { class: "why" }, `: ${why}`));
  }
}
