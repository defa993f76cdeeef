// Impatient clicks, and an answer that gets lost: one order each.

import assert from "node:assert/strict";

import { add, asNewCustomer, orderId, stage } from "../shop.mjs";

export default async function (session) {
  const page = await session.page("/");
  await add(page, "Webcam");
  const customer = await asNewCustomer(page);
  await page.getByRole("button", { name: "Checkout" }).dblclick();
  await orderId(page);
  await stage(page, "1 mail sent");
  assert.equal(await ordersOf(session, customer), 1);

  // The order arrives and its answer does not: the shop asks again under the same key.
  session.losesConnections = true;
  let lost = 0;
  await page.route("**/order", async (route) => {
    if (lost > 0) return route.continue();
    lost += 1;
    await route.fetch();
    return route.abort("connectionreset");
  });
  await add(page, "Webcam");
  await page.getByRole("button", { name: "Checkout" }).click();
  await page.getByText("Accepted in").waitFor();
  await stage(page, "1 mail sent");
  assert.equal(lost, 1);
  assert.equal(await ordersOf(session, customer), 2);
}

async function ordersOf(session, customer) {
  const { orders } = await session.api(`/users/${customer}/orders`);
  return orders.length;
}
