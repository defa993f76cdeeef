// Whether what is shown is what is: told once at each change. "Closed" says nothing at all.

import { byId } from "./dom.js";
import { badgeOf } from "./status.js";

const WORDS = {
  connecting: ["wait", "Connecting …"],
  live: ["good", "Live"],
  reconnecting: ["warn", "Reconnecting …"],
  paused: ["none", "Paused"],
  complete: ["good", "Complete"],
};

let shown;

/** @param {"connecting" | "live" | "reconnecting" | "paused" | "complete" | "closed"} state */
export function showConnection(state) {
  if (state === shown) return;
  shown = state;
  const words = WORDS[state];
  byId("connection").replaceChildren(...(words ? [badgeOf(...words)] : []));
}

/** News of the page, read out once. */
export const say = (text) => {
  byId("news").textContent = text;
};
