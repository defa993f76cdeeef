// What the gateway tells of the whole system as it happens: one stream, opened again whenever it
// breaks, closed while nobody looks.

import { failed } from "./api.js";
import { eventsOf } from "./sse.js";
import { authorization } from "./token.js";

/** Back-off between two attempts, in milliseconds. */
const SOONEST = 500;
const LATEST = 5000;
/** Silence after which a connection counts as dead: the gateway sends something every 15 s. */
const SILENCE = 20_000;

/**
 * Follows the stream until stopped or refused.
 * @param {object} tell
 * @param {(name: string, data: object) => void} tell.event
 * @param {(state: "connecting" | "live" | "reconnecting" | "paused", attempts: number) => void} tell.state
 * @param {(refusal: import("./api.js").Failed) => void} tell.refused the end: the token is to blame
 * @returns {() => void} stops
 */
export function live(tell) {
  let isOver = false;
  let connection;
  const visibility = () => {
    if (document.hidden) connection?.abort();
  };
  document.addEventListener("visibilitychange", visibility);
  const stop = () => {
    isOver = true;
    connection?.abort();
    document.removeEventListener("visibilitychange", visibility);
  };

  (async () => {
    let attempts = 0;
    tell.state("connecting", 0);
    while (!isOver) {
      if (document.hidden) {
        tell.state("paused", 0);
        await shown();
        continue;
      }
      connection = new AbortController();
      const refusal = await read(connection, tell.event, () => {
        if (isOver) return;
        attempts = 0;
        tell.state("live", 0);
      });
      if (isOver) return;
      if (refusal) {
        stop();
        tell.refused(refusal);
      } else if (!document.hidden) {
        attempts += 1;
        tell.state("reconnecting", attempts);
        await pause(Math.min(LATEST, SOONEST * 2 ** (attempts - 1)));
      }
    }
  })();
  return stop;
}

/** One connection, from its beginning to its end; a refusal if that is why it ended. */
async function read(connection, event, opened) {
  let watchdog;
  const alive = () => {
    clearTimeout(watchdog);
    watchdog = setTimeout(() => connection.abort(), SILENCE);
  };
  try {
    alive();
    const headers = { accept: "text/event-stream", ...authorization() };
    const answer = await fetch("/ops/live", { headers, signal: connection.signal, cache: "no-store" });
    if (!answer.ok) {
      const failure = await failed(answer);
      return failure.isRefusal ? failure : undefined;
    }
    opened();
    for await (const { name, data } of eventsOf(answer.body, alive)) {
      if (name === "problem") break;
      event(name, JSON.parse(data));
    }
  } catch {
    // Gone, cut, or silent: the caller comes back.
  } finally {
    clearTimeout(watchdog);
    connection.abort();
  }
  return undefined;
}

const shown = () =>
  new Promise((done) => {
    const look = () => {
      if (document.hidden) return;
      document.removeEventListener("visibilitychange", look);
      done();
    };
    document.addEventListener("visibilitychange", look);
    look();
  });

const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
