// What happened to an order in which service, from when to when: a table whose middle column
// draws what the last ones say.

import { element, write } from "./dom.js";
import { duration, instant } from "./format.js";
import { keyed } from "./keyed.js";
import { badge } from "./status.js";

/** A mark that is thinner than this part of the width cannot be seen. */
const THINNEST = 0.006;
/** The span that is drawn at least, in milliseconds: nothing shorter is worth a picture. */
const SHORTEST = 10;
/** Between two drawings of what is under way, in milliseconds. */
const STEP = 250;

/**
 * The steps of an order as far as they are known, each from its beginning to its end; no end
 * where it is still under way.
 */
export function stepsOf({ order, payment, notifications }) {
  const placed = instant(order.placedAt);
  const at = (text) => (text ? instant(text) - placed : undefined);
  const isDeclined = order.status === "ORDER_STATUS_DECLINED";
  const steps = [
    { key: "accepted", service: "gateway", what: "accepted", from: 0, to: 0 },
    { key: "stored", service: "history", what: "stored", from: 0, to: at(order.storedAt) },
    {
      key: "settled",
      service: "payments",
      what: order.settledAt && !isDeclined ? "charged" : "charge",
      from: at(payment?.createdAt) ?? 0,
      to: at(order.settledAt ?? payment?.settledAt),
      failure: isDeclined && order.status,
    },
    ...(notifications ?? []).map((mail) => ({
      key: mail.notificationId,
      service: "notifier",
      what: mail.subject,
      from: at(mail.createdAt),
      to: at(mail.sentAt),
      failure: mail.status === "NOTIFICATION_STATUS_FAILED" && mail.status,
    })),
  ];
  return steps.sort((a, b) => a.from - b.from);
}

export class Waterfall {
  /** @param {HTMLTableSectionElement} body @param {Element} scale where its length is written */
  constructor(body, scale) {
    this.body = body;
    this.scale = scale;
  }

  /** Takes in what is known by now. */
  show(view) {
    clearTimeout(this.timer);
    this.steps = stepsOf(view);
    const known = this.steps.flatMap(({ from, to }) => [from, to ?? 0]);
    // Counted from what the services said last: clocks here and there need not agree.
    this.known = { at: performance.now(), end: Math.max(SHORTEST, ...known) };
    this.draw();
  }

  draw() {
    const isOpen = this.steps.some(({ to }) => to === undefined);
    const since = isOpen ? performance.now() - this.known.at : 0;
    const span = (this.known.end + since) * 1.04;
    this.mark(span);
    keyed(
      this.body,
      this.steps.map((step) => ({ ...step, span })),
      ({ key }) => key,
      row,
    );
    // What is under way gets longer while one looks.
    if (isOpen) this.timer = setTimeout(() => this.draw(), STEP);
  }

  /** Figures above, lines through all bars. */
  mark(span) {
    const step = distance(span);
    this.body.style.setProperty("--step", (step / span).toFixed(5));
    const marks = Array.from({ length: Math.floor(span / step) + 1 }, (_, index) => {
      const mark = element("span", {}, duration(step * index));
      mark.style.setProperty("--from", ((step * index) / span).toFixed(5));
      return mark;
    });
    this.scale.replaceChildren(...marks);
  }
}

/** The roundest distance between at most six marks. */
export function distance(span) {
  const power = 10 ** Math.floor(Math.log10(span / 5));
  return [1, 2, 5, 10].map((times) => times * power).find((step) => span / step <= 5);
}

function lasted({ from, to }) {
  if (to === undefined) return "under way";
  return to > from ? duration(to - from) : "–";
}

function row() {
  const bar = element("span", { class: "step-bar" });
  const what = element("td", { class: "step-what" });
  const from = element("td", { class: "step-from number" });
  const took = element("td", { class: "step-took number" });
  const service = element("th", { scope: "row", class: "step-service" });
  const track = element(
    "td",
    { class: "step-track" },
    element("span", { class: "track", "aria-hidden": "true" }, bar),
  );
  let before;
  return {
    node: element("tr", {}, service, what, track, from, took),
    update(step) {
      write(service, step.service);
      const told = `${step.what} ${step.failure}`;
      if (told !== before)
        what.replaceChildren(step.what, ...(step.failure ? [" ", badge(step.failure)] : []));
      before = told;
      write(from, `+${duration(step.from)}`);
      write(took, lasted(step));
      const end = step.to ?? step.span;
      // Of two machines' clocks one may be behind: nothing is drawn before the beginning.
      const begin = Math.min(Math.max(step.from / step.span, 0), 1 - THINNEST);
      bar.style.setProperty("--from", begin.toFixed(4));
      bar.style.setProperty("--part", Math.max(end / step.span - begin, THINNEST).toFixed(4));
      bar.className = `step-bar${step.failure ? " failed" : ""}${step.to === undefined ? " open" : ""}`;
    },
  };
}
