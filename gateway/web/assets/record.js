// What a Kafka record holds: its headers, and its payload decoded. All of it is text.

import { element } from "./dom.js";
import { count, exactTime } from "./format.js";

/** A message's name without its package. */
export const shortType = (type) => type?.split(".").at(-1) || "unknown type";

/** Where a record lies: "orders.v1/3@1234" as Kafka's tools write it. */
export const position = ({ topic, partition, offset }) => `${topic}/${partition}@${offset}`;

/** Names with their values; a value may be an element. */
export function facts(pairs, name = "facts") {
  const rows = pairs
    .filter(([, value]) => value !== undefined && value !== "")
    .map(([term, value]) => element("div", {}, element("dt", {}, term), element("dd", {}, value)));
  return element("dl", { class: name }, ...rows);
}

/** A point in time as people read it, and as machines do; not every record tells its own. */
export const timeOf = (text) =>
  text ? element("time", { datetime: text, title: text }, exactTime(text)) : "at an unknown time";

/** Headers beside the payload. */
export function recordParts({ key, type, bytes, headers, payload, problem }) {
  const about = [
    ["Key", key],
    ["Type", type],
    ["Value", `${count(bytes)} bytes`],
  ];
  const rows = headers.map(({ name, value, encoding }) => [
    encoding ? `${name} (${encoding})` : name,
    value || "(empty)",
  ]);
  return element(
    "div",
    { class: "record-parts" },
    element("div", {}, element("h3", {}, "Record"), facts([...about, ...rows], "headers")),
    element("div", {}, element("h3", {}, "Payload"), shownPayload(payload, problem)),
  );
}

function shownPayload(payload, problem) {
  if (payload == null) return element("p", { class: "notice warn" }, problem ?? "The record has no value.");
  const text = JSON.stringify(payload, null, 2);
  return element("pre", { class: "payload", tabindex: "0", "aria-label": "Payload" }, text);
}
