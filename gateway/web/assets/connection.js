// Whether what is shown is what is: told once at each change.

import { byId } from "./dom.js";
import { badgeOf } from "./status.js";

const WORDS = {
  connecting: ["wait", "Connecting …"],
  live: ["good", "Live"],
  reconnecting: ["warn", "Reconnecting …"],
  paused: ["none", "Paused"],
};

let shown;

/** @param {"connecting" | "live" | "reconnecting" | "paused" | "closed"} state */
export function showConnection(state) {
  if (state === shown) return;
  shown = state;
  const words = WORDS[state];
  byId("connection").replaceChildren(...(words ? [badgeOf(...words)] : []));
}
