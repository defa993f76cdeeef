// Two products, from the cart to the mails.

import assert from "node:assert/strict";

import { add, asNewCustomer, checkOut, orderId, stage } from "../shop.mjs";

export default async function (session) {
  const page = await session.page("/");
  await add(page, "Keyboard");
  await add(page, "Mouse");
  await page.getByRole("button", { name: "One Mouse more" }).click();
  assert.equal(await page.locator("#total").innerText(), "$19.97");
  await asNewCustomer(page);
  await checkOut(page);
  const id = await orderId(page);
  for (const text of ["Accepted", "Paid", "Stored", "2 mails sent"]) await stage(page, text);
  const times = await page.locator(".stage .number").allInnerTexts();
  for (const time of times.slice(1)) assert.match(time, /^\+[\d.]+ (ms|s)$/);
  assert.equal(await page.getByText("Nothing in it yet.").isVisible(), true);

  const { order, final: isFinal } = await session.api(`/orders/${id}`);
  assert.equal(order.status, "ORDER_STATUS_PAID");
  assert.deepEqual([order.total, isFinal], [1997, true]);

  // Who comes back later sees the same.
  await page.reload();
  await stage(page, "2 mails sent");
  assert.equal(await page.locator("#order-id").innerText(), id);
}
