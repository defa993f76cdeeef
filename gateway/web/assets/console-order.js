// One order: from the first sign of it to its last mail, as it happens.

import { ask } from "./api.js";
import { say, showConnection } from "./connection.js";
import { byId } from "./dom.js";
import { showMails } from "./mails.js";
import { follow } from "./order-events.js";
import { showSummary } from "./order-summary.js";
import { Records } from "./records.js";
import { word } from "./status.js";
import { Waterfall } from "./waterfall.js";

/** Stages come in bursts: one look at the whole order for all of a burst, in milliseconds. */
const BURST = 80;

const orderId = address();
const waterfall = new Waterfall(byId("steps"), byId("scale"));
const records = new Records(orderId);
let shown;
let stopFollowing = () => {};

function address() {
  const last = location.pathname.split("/").at(-1);
  try {
    return decodeURIComponent(last);
  } catch {
    // No such encoding: not an order's id either, and the gateway says so.
    return last;
  }
}

/** Looks whether the order is there, and follows it for as long as something may come. */
async function load() {
  byId("missing").hidden = true;
  try {
    const view = await ask(path());
    show(view);
    if (!view.final) followOn();
  } catch (failure) {
    if (failure.status === 404) {
      miss(
        "No such order yet",
        "An order is here a moment after it was accepted. This page keeps looking for half a minute.",
      );
      followOn();
    } else if (failure.status === 400) {
      miss("This is not an order's id", "An id has 36 characters, as 0190c6a4-7c1e-7b3a-9d2e-5f3a1c2b4d6e.");
    } else {
      miss("The order could not be read", failure.message);
    }
  }
}

const path = () => `/orders/${encodeURIComponent(orderId)}`;

function followOn() {
  stopFollowing();
  showConnection("connecting");
  let timer;
  stopFollowing = follow(orderId, {
    stage(name, data) {
      clearTimeout(timer);
      if (name === "final" && data.view) show(data.view);
      else timer = setTimeout(refresh, BURST);
    },
    connected: (isConnected) => showConnection(isConnected ? "live" : "reconnecting"),
    problem({ detail }) {
      showConnection("closed");
      if (shown) miss("This page follows no more", detail);
      else miss("There is no such order", "Nothing came within half a minute. Check the id, or look again.");
    },
  });
}

async function refresh() {
  try {
    const view = await ask(path());
    if (!shown?.final) show(view);
  } catch {
    // The next stage, or the stream's own news, comes anyway.
  }
}

function show(view) {
  const isNew = !shown;
  const { status } = view.order;
  if (shown && shown.order.status !== status) say(`The order is ${word(status).toLowerCase()}.`);
  if (shown && view.final) say("Every mail has come to its end.");
  shown = view;
  byId("missing").hidden = true;
  byId("console").hidden = false;
  showSummary(view);
  waterfall.show(view);
  showMails(view);
  records.follow(view);
  if (view.final) showConnection("complete");
  if (isNew && location.hash)
    document.querySelector(`#${CSS.escape(location.hash.slice(1))}`)?.scrollIntoView();
}

function miss(title, text) {
  byId("missing-title").textContent = title;
  byId("missing-text").textContent = text;
  byId("missing").hidden = false;
}

byId("order-id").textContent = orderId;
byId("again").addEventListener("click", load);
document.title = `Order ${orderId} – Ordermesh`;
load();
