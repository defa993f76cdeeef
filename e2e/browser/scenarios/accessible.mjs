// Each page in light and dark, and on a phone: nothing for axe-core to find, and nothing that
// sticks out.

import assert from "node:assert/strict";

import { MARKUP, isDrawn, isLive, placeElsewhere, untilFinal } from "../console.mjs";
import { PHONE, WIDE } from "../session.mjs";
import { add, checkOut, stage } from "../shop.mjs";

const PAGES = ["/", "/docs", "/docs/grpc"];

const VIEWS = [
  { colorScheme: "light", viewport: WIDE },
  { colorScheme: "dark", viewport: WIDE },
  { colorScheme: "light", viewport: PHONE },
];

/** The longest name there may be, without a place to break it. */
const LONG = "unbroken".repeat(25);

export default async function (session) {
  const { orderId } = await placeElsewhere(session, [
    { id: 1, name: MARKUP, price: 999 },
    { id: 2, name: LONG, price: 499 },
  ]);
  await untilFinal(session, orderId);
  for (const view of VIEWS) {
    const options = { ...view, reducedMotion: "reduce" };
    const what = `${view.colorScheme}, ${view.viewport.width} px`;
    for (const path of PAGES) {
      const page = await session.page(path, options);
      await session.expectAccessible(page, `${path}, ${what}`);
      await expectNothingSticksOut(page, `${path}, ${what}`);
      await page.context().close();
    }
    const page = await session.page("/", options);
    await add(page, "USB cable");
    await session.expectAccessible(page, `a full cart, ${what}`);
    await page.getByLabel("Test card").selectOption("Expired");
    await checkOut(page);
    await stage(page, "1 mail sent");
    await session.expectAccessible(page, `an order, ${what}`);
    await expectNothingSticksOut(page, `an order, ${what}`);
    await page.context().close();
    await operator(session, orderId, options, what);
  }
}

/** The console's pages, with everything open that can be. */
async function operator(session, orderId, options, what) {
  for (const [path, open] of [
    ["/console", openOverview],
    [`/console/orders/${orderId}`, openOrder],
    ["/console/dead-letters", isLive],
  ]) {
    const page = await session.page(path, options);
    await open(page);
    await session.expectAccessible(page, `${path}, ${what}`);
    await expectNothingSticksOut(page, `${path}, ${what}`);
    await page.context().close();
  }
}

async function openOverview(page) {
  await isDrawn(page);
  await page.getByText("As a table").click();
}

async function openOrder(page) {
  await page.locator("#mail-list summary").first().click();
  await page.locator("#records summary").first().click();
  await page.getByLabel("Payload").waitFor();
}

async function expectNothingSticksOut(page, what) {
  const [inner, outer] = await page.evaluate(() => [
    document.scrollingElement.scrollWidth,
    document.scrollingElement.clientWidth,
  ]);
  assert.ok(inner <= outer, `${what}: ${inner} px wide in ${outer}`);
}
