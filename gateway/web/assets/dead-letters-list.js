// Dead letters as lines that open, each to be chosen.

import { element } from "./dom.js";
import { count, counted, pointInTime } from "./format.js";
import { keyed } from "./keyed.js";
import { orderAddress } from "./orders-table.js";
import { facts, position, recordParts, shortType, timeOf } from "./record.js";
import { badgeOf } from "./status.js";

const ORDER_TOPICS = /^(orders|payments|notifications)\./;
const UUID = /^[0-9a-f-]{36}$/;

export class DeadLettersList {
  /** @param {Element} list @param {() => void} chosen told when the choice changes */
  constructor(list, chosen) {
    this.list = list;
    this.chosen = chosen;
    this.letters = [];
    /** Ids of those chosen: a choice outlives a look at the list, but not a replay. */
    this.choice = new Set();
  }

  show(letters) {
    this.letters = letters;
    const ids = new Set(letters.filter(({ replayed }) => !replayed).map(({ id }) => id));
    for (const id of this.choice) if (!ids.has(id)) this.choice.delete(id);
    keyed(
      this.list,
      letters,
      ({ id }) => id,
      (letter) => this.row(letter),
    );
    this.chosen();
  }

  /** Those that are chosen, in the list's order. */
  get selected() {
    return this.letters.filter(({ id }) => this.choice.has(id));
  }

  /** Those that all together means: what is too old has to be chosen by itself. */
  get replayable() {
    return this.letters.filter(({ replayable }) => replayable);
  }

  /** Chooses all that can be replayed without force, or none. */
  choose(isAll) {
    this.choice = new Set(isAll ? this.replayable.map(({ id }) => id) : []);
    for (const box of this.list.querySelectorAll("input")) box.checked = this.choice.has(box.value);
    this.chosen();
  }

  row(letter) {
    const { attempts, class: name, givenUpAt, id, message, service, type } = letter;
    const change = ({ target }) => {
      if (target.checked) this.choice.add(id);
      else this.choice.delete(id);
      this.chosen();
    };
    const box = element("input", {
      type: "checkbox",
      value: id,
      "aria-label": `Choose ${id}`,
      onchange: change,
    });
    const state = element("span", { class: "letter-state" });
    const summary = element(
      "summary",
      { class: "entry-line letter-line" },
      element("strong", { class: "letter-service" }, service),
      element("span", { class: "letter-class mono" }, name),
      element("span", { class: "letter-type" }, shortType(type)),
      element("span", { class: "quiet letter-time" }, givenUpAt ? pointInTime(givenUpAt) : ""),
      state,
      element("span", { class: "letter-message small" }, message),
    );
    const details = element("details", { class: "letter" }, summary);
    details.addEventListener("toggle", () => details.append(parts(letter, attempts)), { once: true });
    const isChosen = () => this.choice.has(id);
    let before;
    return {
      node: element("li", { class: "letter-row" }, element("span", { class: "choose" }, box), details),
      update({ replayable, replayed }) {
        const now = `${replayable} ${replayed}`;
        if (now === before) return;
        before = now;
        // What is back is back; what is too old is put back by force only.
        box.disabled = replayed;
        box.checked = isChosen();
        const told = replayed ? [badgeOf("good", "Replayed")] : [badgeOf("warn", "Too old")];
        state.replaceChildren(...(replayable ? [] : told));
      },
    };
  }
}

function parts(letter, attempts) {
  const { class: name, givenUpAt, id, key, message, origin, service } = letter;
  const isOrder = ORDER_TOPICS.test(origin.topic) && UUID.test(key ?? "");
  const about = facts(
    [
      ["Why", `${message} (${name})`],
      [
        "Given up",
        element("span", {}, "by ", service, " after ", counted(attempts, "attempt"), ", ", timeOf(givenUpAt)),
      ],
      [
        "Origin",
        element("span", {}, element("code", {}, position(origin)), ", written ", timeOf(origin.timestamp)),
      ],
      ["Order", isOrder ? element("a", { class: "mono", href: orderAddress(key) }, key) : ""],
      ["Dead letter", element("code", {}, id)],
    ],
    "facts letter-facts",
  );
  return element("div", {}, about, recordParts(letter));
}

/** What a choice is called: "3 dead letters". */
export const lettersOf = (number) => counted(number, "dead letter");

/** How many there are, and whether there are more. */
export const total = (letters, isTruncated) =>
  isTruncated ? `the newest ${count(letters.length)}` : lettersOf(letters.length);
