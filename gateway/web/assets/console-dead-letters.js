// Dead letters: what was given up, why, and putting it back.

import { askAsOperator } from "./api.js";
import { showConnection } from "./connection.js";
import { DeadLettersList, total } from "./dead-letters-list.js";
import { byId, element } from "./dom.js";
import { count } from "./format.js";
import { live } from "./live.js";
import { confirmReplay, replay, tellFailure, tellResult } from "./replay.js";
import { SignIn } from "./sign-in.js";

const FILTERS = ["service", "class"];
/** Each look reads Kafka: enough to see what goes wrong, and to replay in handfuls. */
const SIZE = 100;
/** Least time between two looks of the page's own accord, in milliseconds. */
const CALM = 3000;

const list = new DeadLettersList(byId("letters"), showChoice);
let stop = () => {};
let asked;
let counted;
let soon;

function filters() {
  const values = FILTERS.map((name) => [name, byId(name).value]);
  return values.filter(([, value]) => value !== "");
}

/** Only the newest question's answer counts. */
async function load() {
  const question = (asked = {});
  try {
    const query = new URLSearchParams([...filters(), ["pageSize", SIZE]]);
    const { deadLetters, truncated } = await askAsOperator(`/ops/dead-letters?${query}`);
    if (question !== asked) return;
    signIn.accept();
    byId("console").hidden = false;
    show(deadLetters, truncated);
  } catch (failure) {
    if (question !== asked) return;
    if (failure.isRefusal) signIn.refuse(failure);
    else fail(failure);
  }
}

function show(letters, isTruncated) {
  offerClasses(letters);
  list.show(letters);
  const isFiltered = filters().length > 0;
  const none = isFiltered
    ? "None that match. Choose another service or class."
    : "None: every record was processed.";
  message(letters.length === 0 ? none : "", false);
  byId("shown").textContent = letters.length === 0 ? "" : `${total(letters, isTruncated)} shown`;
  byId("choice").hidden = letters.length === 0;
}

function fail(failure) {
  byId("console").hidden = false;
  message(`The dead letters could not be read: ${failure.message}`, true);
}

function message(text, isBad) {
  byId("message").textContent = text;
  byId("message").className = `notice${isBad ? " bad" : ""}`;
  byId("message").hidden = text === "";
}

/** A class that a newer service gives can be chosen, too. */
function offerClasses(letters) {
  const select = byId("class");
  const known = new Set(Array.from(select.options, ({ value }) => value));
  for (const { class: name } of letters) {
    if (!known.has(name)) select.append(element("option", { value: name }, name));
    known.add(name);
  }
}

function showChoice() {
  const chosen = list.selected.length;
  const all = list.replayable.length;
  byId("all").checked = all > 0 && chosen >= all;
  byId("all").indeterminate = chosen > 0 && chosen < all;
  byId("all").disabled = all === 0;
  byId("replay").disabled = chosen === 0;
  byId("replay").textContent = chosen === 0 ? "Replay" : `Replay ${count(chosen)}`;
}

async function replayChosen() {
  const letters = list.selected;
  const { isWanted, force } = await confirmReplay(letters);
  if (!isWanted) return;
  byId("replay").disabled = true;
  try {
    const answer = await replay(
      letters.map(({ id }) => id),
      force,
    );
    tellResult(byId("result"), answer);
    list.choose(false);
  } catch (failure) {
    if (failure.isRefusal) {
      signIn.refuse(failure);
      return;
    }
    tellFailure(byId("result"), failure);
    showChoice();
  }
  byId("result").focus();
  await load();
}

/** The stream says how many each service has given up: when that changes, the list does. */
function follow() {
  stop();
  stop = live({
    event(name, data) {
      if (name !== "services") return;
      const now = data.services.map(({ deadLetters }) => deadLetters ?? "").join();
      if (counted !== undefined && now !== counted) {
        soon ??= setTimeout(() => {
          soon = undefined;
          load();
        }, CALM);
      }
      counted = now;
    },
    state: showConnection,
    refused(refusal) {
      showConnection("closed");
      signIn.refuse(refusal);
    },
  });
}

const signIn = new SignIn(byId("sign-in"), (mayTry) => {
  byId("console").hidden = true;
  if (mayTry) start();
  else stop();
});

function start() {
  load();
  follow();
}

const query = new URLSearchParams(location.search);
for (const name of FILTERS) {
  const wanted = query.get(name) ?? "";
  const select = byId(name);
  if (wanted && !Array.from(select.options).some(({ value }) => value === wanted)) {
    select.append(element("option", { value: wanted }, wanted));
  }
  select.value = wanted;
  select.addEventListener("change", () => {
    history.replaceState(null, "", `?${new URLSearchParams(filters())}`);
    byId("result").hidden = true;
    load();
  });
}
byId("all").addEventListener("change", ({ target }) => list.choose(target.checked));
byId("replay").addEventListener("click", replayChosen);
for (const button of byId("replay-dialog").querySelectorAll("button")) {
  button.addEventListener("click", () => byId("replay-dialog").close(button.value));
}
start();
