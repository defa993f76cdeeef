// Putting dead letters back: asked for once more, then told what came of it.

import { askAsOperator } from "./api.js";
import { byId, element } from "./dom.js";
import { lettersOf } from "./dead-letters-list.js";

/** What became of each, in the gateway's words and in ours. */
const OUTCOMES = [
  ["replayed", "replayed"],
  ["replayedBefore", "replayed before, left out"],
  ["tooOld", "too old, left out"],
  ["unknown", "not found any more"],
];

/** Asks before it happens; resolves with whether to, and whether by force. */
export function confirmReplay(letters) {
  const dialog = byId("replay-dialog");
  const services = [...new Set(letters.map(({ service }) => service))];
  const old = letters.filter(({ replayable }) => !replayable).length;
  byId("replay-title").textContent = `Replay ${lettersOf(letters.length)}?`;
  byId("replay-text").textContent =
    `Each is put back for the service that gave it up (${services.join(", ")}), and for no other. ` +
    "One that fails again comes back to this list.";
  byId("replay-force").checked = false;
  byId("replay-force-field").hidden = old === 0;
  byId("replay-old").textContent =
    `By force, too: ${lettersOf(old)} so old that ${old === 1 ? "its effect" : "their effects"} may come twice`;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((done) => {
    dialog.addEventListener(
      "close",
      () => done({ isWanted: dialog.returnValue === "replay", force: byId("replay-force").checked }),
      { once: true },
    );
  });
}

/** Replays them. @throws {import("./api.js").Failed} */
export const replay = (ids, force) => askAsOperator("/ops/dead-letters/replay", { body: { ids, force } });

/** Tells what came of it, where screen readers hear it, too. */
export function tellResult(place, answer) {
  const texts = OUTCOMES.filter(([name]) => answer[name]?.length > 0).map(
    ([name, words]) => `${answer[name].length} ${words}`,
  );
  const others = OUTCOMES.slice(1).flatMap(([name, words]) => (answer[name] ?? []).map((id) => [id, words]));
  place.replaceChildren(
    element("p", {}, `${texts.join(", ")}.`),
    ...(others.length > 0
      ? [
          element(
            "details",
            {},
            element("summary", {}, "Which ones"),
            element(
              "ul",
              {},
              ...others.map(([id, words]) => element("li", {}, element("code", {}, id), `: ${words}`)),
            ),
          ),
        ]
      : []),
  );
  place.className = `notice${others.length > 0 ? " warn" : " good"}`;
  place.hidden = false;
}

/** Tells why nothing was replayed. */
export function tellFailure(place, failure) {
  const rules = (failure.problem.errors ?? []).map(({ field, description }) => `${field} ${description}`);
  place.replaceChildren(element("p", {}, `Not replayed: ${[failure.message, ...rules].join("; ")}`));
  place.className = "notice bad";
  place.hidden = false;
}
