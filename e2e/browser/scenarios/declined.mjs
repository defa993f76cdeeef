// A card without money: why is said, and one mail says so, too.

import assert from "node:assert/strict";

import { add, asNewCustomer, checkOut, orderId, stage } from "../shop.mjs";

export default async function (session) {
  const page = await session.page("/");
  await add(page, "Notebook");
  await asNewCustomer(page);
  await page.getByLabel("Test card").selectOption("Insufficient funds");
  await checkOut(page);
  const id = await orderId(page);
  await stage(page, "Payment declined: there is not enough money on the card");
  await stage(page, "1 mail sent");
  const { order } = await session.api(`/orders/${id}`);
  assert.equal(order.status, "ORDER_STATUS_DECLINED");
}
