// A card for each service: how it is, and what it has to do.

import { element, write } from "./dom.js";
import { count, counted, duration, perSecond, uptime } from "./format.js";
import { keyed } from "./keyed.js";
import { badge, word } from "./status.js";
import { TOPICS, isBacklog, writtenBy } from "./topology.js";

/** What is shown of a service whose news do not come any more. */
const LOST = { reasons: ["not known while the gateway is away"], state: "unknown" };

export class Services {
  /** @param {Element} list where the cards stand @param {(text: string) => void} say for news */
  constructor(list, say) {
    this.list = list;
    this.say = say;
    this.cards = new Map();
    this.newest = undefined;
  }

  /** Takes in how all services are. */
  show(document) {
    this.newest = document;
    for (const service of document.services) this.card(service).show(service, document);
    this.tellChanges(document.services);
  }

  /** The gateway is lost: nothing is known of the others either. */
  lose() {
    if (!this.newest) return [];
    const services = this.newest.services.map((service) => ({ ...service, ...LOST }));
    services[0].state = "unreachable";
    services[0].reasons = ["this page cannot reach it"];
    for (const service of services) this.card(service).show(service, this.newest);
    this.tellChanges(services.slice(0, 1));
    return services;
  }

  card({ name }) {
    if (!this.cards.has(name)) {
      const card = new Card(name);
      this.cards.set(name, card);
      this.list.append(card.node);
    }
    return this.cards.get(name);
  }

  /** Says who went away or came back; numbers are for the eyes only. */
  tellChanges(services) {
    const states = new Map(services.map(({ name, state }) => [name, state]));
    if (this.states) {
      const changed = services.filter(({ name, state }) => this.states.get(name) !== state);
      const texts = changed.map(({ name, state }) => `${name}: ${word(state).toLowerCase()}`);
      if (texts.length > 0) this.say(texts.join(", "));
    }
    this.states = new Map([...(this.states ?? []), ...states]);
  }
}

class Card {
  constructor(name) {
    this.name = name;
    this.state = element("p", { class: "service-state" });
    this.reasons = element("ul", { class: "reasons" });
    this.facts = new Map();
    this.list = element("dl", { class: "facts" });
    this.topics = element("ul", { class: "service-topics" });
    this.about = element("p", { class: "small quiet service-about" });
    this.node = element(
      "li",
      { class: "service card", "data-service": name },
      element("h3", {}, name),
      this.state,
      this.reasons,
      this.list,
      this.topics,
      this.about,
    );
  }

  show(service, { acceptedPerSecond }) {
    if (this.node.dataset.state !== service.state) {
      this.node.dataset.state = service.state;
      this.state.replaceChildren(badge(service.state));
    }
    const reasons = service.reasons.join("\n");
    if (this.reasons.dataset.of !== reasons) {
      this.reasons.dataset.of = reasons;
      this.reasons.replaceChildren(...service.reasons.map((reason) => element("li", {}, reason)));
    }
    const accepted = service.state === "unreachable" ? undefined : acceptedPerSecond;
    this.figures(service, accepted);
    this.traffic(service, accepted);
    const { instances, version } = service;
    const up = service.uptimeSeconds == null ? [] : [`up\u00a0${uptime(service.uptimeSeconds)}`];
    const several = instances === 1 ? [] : [counted(instances, "instance")];
    const parts = [...several, ...(version ? [`v${version}`] : []), ...up];
    write(this.about, service.state === "unreachable" ? "" : parts.join(" · "));
  }

  figures({ name, lag, age, retries, deadLetters, topics }, accepted) {
    const known = (value, format) => (value == null ? "–" : format(value));
    if (name === "gateway") {
      this.fact("Accepted", known(accepted, perSecond));
      this.fact("Doors", "REST, gRPC");
      return;
    }
    const isLate = topics.some((topic) => isBacklog(topic.lag, topic.perSecond));
    this.fact("Lag", known(lag, count), isLate);
    this.fact("Event age p50", known(age?.p50Ms, duration));
    this.fact("Event age p99", known(age?.p99Ms, duration));
    this.fact("Retries", known(retries, count), retries > 0);
    const dead = this.fact("Dead letters", known(deadLetters, count), deadLetters > 0);
    if (deadLetters > 0 && !dead.querySelector("a")) {
      const label = `${count(deadLetters)}, show the dead letters of ${name}`;
      const address = `/console/dead-letters?service=${encodeURIComponent(name)}`;
      dead.replaceChildren(element("a", { href: address, "aria-label": label }, count(deadLetters)));
    }
  }

  /** A figure with its name; a link within is kept, its text renewed. */
  fact(name, text, isOdd = false) {
    if (!this.facts.has(name)) {
      const value = element("dd", { class: "number" });
      this.facts.set(name, value);
      this.list.append(element("div", {}, element("dt", {}, name), value));
    }
    const value = this.facts.get(name);
    const link = value.querySelector("a");
    if (link && link.textContent !== text) value.replaceChildren(text);
    else if (!link) write(value, text);
    value.classList.toggle("odd", isOdd);
    return value;
  }

  /** What it reads and writes: the picture in words. */
  traffic({ name, topics, state }, accepted) {
    const isAway = state === "unreachable" || state === "unknown";
    const rows = [
      ...(name === "gateway" ? [["takes orders", accepted ?? 0]] : []),
      ...topics.filter(isTelling).map(({ topic, perSecond: rate, lag }) => [`reads ${topic}`, rate, lag]),
      ...writtenBy(name).map((topic) => [`writes ${topic.name}`]),
      ...(name === "notifier" ? [["sends mails by SMTP"]] : []),
    ];
    keyed(
      this.topics,
      rows,
      ([what]) => what,
      ([what]) => {
        const rate = element("span", { class: "number" });
        return {
          node: element("li", {}, element("span", {}, what), " ", rate),
          update([, much, lag]) {
            const behind = isBacklog(lag, much) ? ` · ${count(lag)} behind` : "";
            write(rate, much === undefined ? "" : isAway ? "not known" : perSecond(much) + behind);
          },
        };
      },
    );
  }
}

/** The topic through which dead letters come back is silent mostly: only its news are worth a line. */
const isTelling = ({ topic, perSecond: rate, lag }) =>
  TOPICS.some(({ name }) => name === topic) || rate > 0 || lag > 0;
