// The picture of the way: a service is a column below its card, a topic a lane through the columns.
// A stem leads down from who writes a topic, and up to who reads it.
//
// The same in words stands in the cards, so the picture itself is one image to screen readers.

import { drawn, write } from "./dom.js";
import { count, perSecond } from "./format.js";
import { READERS, SERVICES, TOPICS, isBacklog, writtenBy } from "./topology.js";

/** Sizes in CSS pixels; columns are parts of the width, so texts keep their size. */
const FIRST = 84;
const BETWEEN = 48;
const laneY = (index) => FIRST + BETWEEN * index;
const SMTP_Y = laneY(TOPICS.length - 1) + 62;
const HEIGHT = SMTP_Y + 34;
/** Stems of a service that reads and writes stand side by side. */
const BESIDE = 14;

const columnX = (service) => `${(SERVICES.indexOf(service) + 0.5) * (100 / SERVICES.length)}%`;

export class Flow {
  /** @param {SVGSVGElement} names @param {SVGSVGElement} lanes the pictures to draw in */
  constructor(names, lanes) {
    /** What changes: texts and states by `topic service`. */
    this.taps = new Map();
    this.lanes = new Map();
    for (const picture of [names, lanes]) picture.setAttribute("height", HEIGHT);
    TOPICS.forEach(({ name, writer }, index) => {
      const y = laneY(index);
      const last = READERS[name].at(-1);
      names.append(drawn("text", { class: "topic-name", x: 14, y: y + 5 }, name));
      const from = { x1: columnX(writer), y1: y, y2: y };
      const flow = drawn("line", { class: "flow", ...from, x2: columnX(last) });
      this.lanes.set(name, flow);
      lanes.append(
        drawn("line", { class: "lead", x1: 0, y1: y, x2: columnX(writer), y2: y }),
        drawn("line", { class: "lane", ...from, x2: columnX(last) }),
        flow,
      );
    });
    lanes.append(...SERVICES.map((service) => this.column(service)));
  }

  column(service) {
    const written = writtenBy(service);
    const read = TOPICS.filter(({ name }) => READERS[name].includes(service));
    const apart = written.length > 0 && read.length > 0 ? BESIDE : 0;
    const column = drawn("svg", { class: "column", x: columnX(service), overflow: "visible" });
    if (read.length > 0) column.append(...this.reading(service, read, -apart));
    if (written.length > 0) column.append(...writing(written, apart));
    if (service === "notifier") column.append(...smtp(apart));
    return column;
  }

  /** Up from the lanes to the card. */
  reading(service, topics, x) {
    const lowest = laneY(TOPICS.indexOf(topics.at(-1)));
    const stem = drawn("line", { class: "stem", x1: x, y1: lowest, x2: x, y2: 9 });
    const taps = topics.map((topic) => {
      const y = laneY(TOPICS.indexOf(topic));
      const text = drawn("text", { class: "rate", x: x - 10, y: y - 9, "text-anchor": "end" });
      const dot = drawn("circle", { class: "tap", cx: x, cy: y, r: 5 });
      const tap = drawn("g", {}, dot, text);
      this.taps.set(`${topic.name} ${service}`, { tap, text });
      return tap;
    });
    return [stem, drawn("path", { class: "head", d: `M${x - 5} 10 ${x} 1 ${x + 5} 10z` }), ...taps];
  }

  /** Takes in how things are. */
  show(services) {
    const moving = new Set();
    for (const service of services) {
      for (const topic of service.topics) {
        const place = this.taps.get(`${topic.topic} ${service.name}`);
        if (!place) continue;
        const isAway = service.state === "unreachable" || service.state === "unknown";
        if (!isAway && topic.perSecond > 0) moving.add(topic.topic);
        const behind = isBacklog(topic.lag, topic.perSecond) ? ` · ${count(topic.lag)} behind` : "";
        write(place.text, isAway ? "not known" : `${perSecond(topic.perSecond)}${behind}`);
        place.tap.setAttribute("class", isAway ? "away" : behind ? "late" : "");
      }
    }
    for (const [name, lane] of this.lanes) {
      lane.setAttribute("class", moving.has(name) ? "flow moving" : "flow");
    }
  }
}

/** Down from the card to the lanes. */
function writing(topics, x) {
  const lowest = laneY(TOPICS.indexOf(topics.at(-1)));
  const heads = topics.map((topic) => {
    const y = laneY(TOPICS.indexOf(topic));
    return drawn("path", { class: "head", d: `M${x - 5} ${y - 11} ${x} ${y - 2} ${x + 5} ${y - 11}z` });
  });
  return [drawn("line", { class: "stem", x1: x, y1: 0, x2: x, y2: lowest - 4 }), ...heads];
}

/** On from the notifier, past the topics, to the mail server. */
function smtp(apart) {
  const x = apart + 2 * BESIDE;
  return [
    drawn("line", { class: "stem", x1: x, y1: 0, x2: x, y2: SMTP_Y - 8 }),
    drawn("path", { class: "head", d: `M${x - 5} ${SMTP_Y - 9} ${x} ${SMTP_Y} ${x + 5} ${SMTP_Y - 9}z` }),
    drawn("rect", { class: "outside", x: x - 62, y: SMTP_Y, width: 124, height: 32, rx: 8 }),
    drawn("text", { class: "outside-name", x, y: SMTP_Y + 21, "text-anchor": "middle" }, "Mail server"),
  ];
}
