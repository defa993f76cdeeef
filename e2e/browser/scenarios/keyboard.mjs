// The whole checkout without a mouse, and on to the mail that came of it.

import assert from "node:assert/strict";

import { stage } from "../shop.mjs";

/** No page here has more stops than this. */
const STOPS = 60;

export default async function (session) {
  const page = await session.page("/");
  await page.keyboard.press("Tab");
  assert.equal(await focused(page), "Skip to the content");
  await tabTo(page, "Add Desk lamp to the cart");
  await page.keyboard.press("Enter");
  await tabTo(page, "One Desk lamp more");
  await page.keyboard.press("Space");
  // The list was drawn anew, and the focus stays where it was.
  assert.equal(await focused(page), "One Desk lamp more");
  await page.keyboard.press("Space");
  assert.equal(await page.locator("#total").innerText(), "$73.50");
  await tabTo(page, "Checkout");
  await page.keyboard.press("Enter");
  await stage(page, "1 mail sent");
  await tabTo(page, "Mails");
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/console\/orders\/[0-9a-f-]{36}#mails$/);
  await page.locator("#mail-list summary").waitFor();
  await tabTo(page, "Your order of Desk lamp");
  await page.keyboard.press("Enter");
  await page.frameLocator(".mail-frame").getByText("Desk lamp").first().waitFor();
}

async function tabTo(page, name) {
  for (let stop = 0; stop < STOPS; stop += 1) {
    if ((await focused(page)).startsWith(name)) return;
    await page.keyboard.press("Tab");
  }
  assert.fail(`no Tab leads to ${name}`);
}

const focused = (page) =>
  page.evaluate(() => {
    const element = document.activeElement;
    return (element.getAttribute("aria-label") ?? element.textContent).replace(/\s+/g, " ").trim();
  });
