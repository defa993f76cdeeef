// Each page as a browser gets it that was never here: how many bytes come over the wire, and how
// soon there is something to see.

import assert from "node:assert/strict";

import { isComplete, isDrawn, isLive, placeElsewhere, untilFinal } from "../console.mjs";

/** Bytes of a page and all that it loads, headers and first figures included. */
const MOST_BYTES = 150_000;
/** Milliseconds until the first contentful paint. */
const PAINT = 300;
/**
 * Other tests share the machine: they make a load slower, never faster, so the fastest counts; and
 * what a page of one word takes just then is not the page's.
 */
const LOADS = 5;
const ONE_WORD = "data:text/html,<title>One</title>word";

export default async function (session) {
  const { orderId } = await placeElsewhere(session, [{ id: 1, name: "Keyboard", price: 999 }]);
  await untilFinal(session, orderId);
  for (const [path, isThere] of [
    ["/", (page) => page.getByText("Nothing in it yet.").waitFor()],
    ["/console", isDrawn],
    ["/console/dead-letters", isLive],
    [`/console/orders/${orderId}`, isComplete],
    ["/docs", (page) => page.getByRole("button", { name: "Copy" }).first().waitFor()],
    ["/docs/grpc", (page) => page.getByRole("button", { name: "Copy" }).first().waitFor()],
  ]) {
    const loads = [];
    for (let load = 0; load < LOADS; load += 1) loads.push(await firstLoad(session, path, isThere));
    const empty = await session.blank("a page of one word");
    await empty.goto(ONE_WORD);
    const machine = await empty.evaluate(firstPaint);
    await empty.context().close();
    const paints = loads.map(({ paint }) => paint).sort((a, b) => a - b);
    const bytes = Math.max(...loads.map((load) => load.bytes));
    const median = paints[Math.floor(LOADS / 2)];
    const name = path.replace(orderId, "{orderId}");
    console.log(
      `${name}: ${(bytes / 1000).toFixed(1)} KB, first contentful paint ` +
        `${paints[0].toFixed(0)} ms at best, ${median.toFixed(0)} ms as a rule`,
    );
    assert.ok(bytes > 4000, `${path}: ${bytes} bytes are no page`);
    assert.ok(bytes < MOST_BYTES, `${path}: ${bytes} bytes`);
    assert.ok(
      paints[0] < PAINT + machine,
      `${path}: the first contentful paint came after ${paints} ms, of one word after ${machine} ms`,
    );
  }
}

/** A load with an empty cache. */
async function firstLoad(session, path, isThere) {
  const page = await session.blank(path);
  const debug = await page.context().newCDPSession(page);
  await debug.send("Network.enable");
  // A stream has no end: of each answer what has come is counted, head and body.
  const sizes = new Map();
  debug.on("Network.responseReceived", ({ requestId, response }) =>
    sizes.set(requestId, (sizes.get(requestId) ?? 0) + response.encodedDataLength),
  );
  debug.on("Network.dataReceived", ({ requestId, encodedDataLength }) =>
    sizes.set(requestId, (sizes.get(requestId) ?? 0) + encodedDataLength),
  );
  debug.on("Network.loadingFinished", ({ requestId, encodedDataLength }) =>
    sizes.set(requestId, encodedDataLength),
  );
  await page.goto(session.base + path);
  await isThere(page);
  const paint = await page.evaluate(firstPaint);
  await page.context().close();
  return { paint, bytes: [...sizes.values()].reduce((sum, size) => sum + size, 0) };
}

/** In the page: when its first contentful paint was, in milliseconds since it was asked for. */
const firstPaint = () =>
  new Promise((done) => {
    new PerformanceObserver((list) => {
      const paint = list.getEntriesByName("first-contentful-paint")[0];
      if (paint) done(paint.startTime);
    }).observe({ type: "paint", buffered: true });
  });
