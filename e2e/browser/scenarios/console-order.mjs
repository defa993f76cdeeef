// One order as it happens: from accepted to its mails, its records, and a mail as it was sent.
// Names that look like markup stay text wherever they are shown.

import assert from "node:assert/strict";

import { MARKUP, isComplete, isLive, placeElsewhere, untilFinal } from "../console.mjs";

const PRODUCTS = [
  { id: 1, name: "Keyboard", price: 999 },
  { id: 9, name: MARKUP, price: 100, quantity: 2 },
];

export default async function (session) {
  const { orderId } = await placeElsewhere(session, PRODUCTS);
  // Asked for at once it may not be stored yet, and the page waits for it.
  session.expectStatus(404);
  const page = await session.page(`/console/orders/${orderId}`);
  await isComplete(page);
  await page.locator("#status").getByText("Paid").waitFor();
  assert.equal(await page.locator("#total").innerText(), "$11.99");
  const steps = await page.locator("#steps").innerText();
  for (const text of ["accepted", "stored", "charged", MARKUP]) assert.ok(steps.includes(text), steps);
  // Accepted, stored, charged, and a mail for each line.
  assert.equal(await page.locator("#steps tr").count(), 5);
  assert.equal(await page.locator("#mail-list .badge.good").count(), 2);

  const mail = page.locator("#mail-list li").filter({ hasText: MARKUP }).first();
  await mail.locator("summary").click();
  assert.equal(await mail.locator("iframe").getAttribute("sandbox"), "");
  await mail.frameLocator("iframe").getByText(MARKUP).first().waitFor();
  await mail.getByLabel("The mail as text").getByText(MARKUP).waitFor();

  await expectRecords(page, orderId);
  await expectNoMarkup(page);

  await expectOverview(session, orderId);
  await expectMissing(session);
}

/** Every record of the order is there in the end, with its headers and its payload. */
async function expectRecords(page, orderId) {
  const placed = page.locator("#records li").filter({ hasText: "OrderPlaced" });
  await placed.locator("summary").click();
  const payload = JSON.parse(await placed.getByLabel("Payload").innerText());
  assert.equal(payload.orderId, orderId);
  assert.equal(payload.lines[1].name, MARKUP);
  await placed.getByText("ce_type").waitFor();
  await page.locator("#records li").filter({ hasText: "PaymentSettled" }).waitFor();
  await page.waitForFunction(
    () =>
      [...document.querySelectorAll(".record-type")].filter((type) => type.textContent === "NotificationSent")
        .length === 2,
  );
}

async function expectOverview(session, orderId) {
  await untilFinal(session, orderId);
  const page = await session.page("/console");
  await isLive(page);
  await page.locator("#orders tbody tr").filter({ hasText: orderId }).waitFor();
  await expectNoMarkup(page);
}

const expectNoMarkup = async (page) => assert.equal(await page.locator('img[src="x"]').count(), 0);

/** An order that never comes, and an address that is none. */
async function expectMissing(session) {
  const page = await session.page("/console/orders/0190c6a4-7c1e-7b3a-9d2e-5f3a1c2b4d6e");
  await page.getByRole("heading", { name: "No such order yet" }).waitFor();
  await page.getByRole("button", { name: "Look again" }).click();
  await page.getByRole("heading", { name: "No such order yet" }).waitFor();
  session.expectStatus(400);
  const other = await session.page("/console/orders/4711");
  await other.getByRole("heading", { name: "This is not an order's id" }).waitFor();
}
