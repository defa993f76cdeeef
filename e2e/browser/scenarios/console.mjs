// The overview follows orders that are placed elsewhere, and finds them by id and by user.

import assert from "node:assert/strict";

import { isLive, placeElsewhere, service } from "../console.mjs";

export default async function (session) {
  const page = await session.page("/console");
  await isLive(page);
  for (const name of ["gateway", "payments", "history", "notifier", "analytics"]) {
    await service(page, name).getByText("Ready", { exact: true }).waitFor();
  }
  const before = await figure(page, "Orders");

  const { orderId, userId } = await placeElsewhere(session, [{ id: 1, name: "Keyboard", price: 999 }]);
  const row = page.locator("#orders tbody tr").filter({ hasText: orderId });
  await row.getByText("Paid").waitFor();
  assert.match(await row.innerText(), /\$9\.99/);
  await page.waitForFunction(isMore, before);
  // What is drawn can be read, too.
  await page.getByText("As a table").click();
  await page.waitForFunction(() => document.querySelectorAll("#rate-table tbody tr").length === 60);

  // One user's orders, which keep following.
  await page.getByLabel("User id").fill(String(userId));
  await page.getByRole("button", { name: "Filter" }).click();
  await page.getByRole("heading", { name: `Orders of user ${userId}` }).waitFor();
  await page.waitForFunction((count) => document.querySelectorAll("#orders tbody tr").length === count, 1);
  const products = [{ id: 2, name: "Mouse", price: 499 }];
  const { orderId: second } = await session.send("/order", { userId, products });
  await page.locator("#orders tbody tr").filter({ hasText: second }).waitFor();
  await page.goBack();
  await page.getByRole("heading", { name: "Latest orders" }).waitFor();

  // What is no id is told, what is one leads to the order.
  await page.getByLabel("Order id").fill("4711");
  await page.getByRole("button", { name: "Open" }).click();
  await page.getByText("An order id has 36 characters").waitFor();
  await page.getByLabel("Order id").fill(` ${orderId.toUpperCase()} `);
  await page.keyboard.press("Enter");
  await page.waitForURL(`**/console/orders/${orderId}`);
}

const figure = async (page, name) => {
  const text = await page
    .locator(".figure")
    .filter({ hasText: name })
    .first()
    .locator(".figure-value")
    .innerText();
  return Number(text.replaceAll(",", ""));
};

/** In the page: whether the first figure, the orders, has grown. */
const isMore = (before) =>
  Number(document.querySelector(".figure-value").textContent.replaceAll(",", "")) > before;
