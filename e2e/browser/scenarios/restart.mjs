// The gateway goes away while the shop waits for a slow payment, and comes back.

import assert from "node:assert/strict";

import { add, asNewCustomer, checkOut, orderId, stage } from "../shop.mjs";

export default async function (session) {
  session.losesConnections = true;
  const page = await session.page("/");
  await add(page, "Monitor");
  await add(page, "Headphones");
  await asNewCustomer(page);
  await checkOut(page);
  await orderId(page);
  await stage(page, "Stored");
  assert.equal(await page.locator(".stage.reached").filter({ hasText: "Paid" }).count(), 0);
  await session.ask("restart");
  await stage(page, "Paid");
  await stage(page, "2 mails sent");
  assert.equal(await page.locator(".stage").count(), 4);
  assert.equal(await page.getByText("The connection was lost.").isVisible(), false);
}
