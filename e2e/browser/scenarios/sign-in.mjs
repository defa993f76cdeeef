// The operator's token: asked for, refused when wrong, kept in the tab, forgotten on signing out.
//
// Needs `OPERATOR_TOKEN` in the environment: what the gateway has as `GATEWAY__OPERATOR_TOKEN`.

import assert from "node:assert/strict";

import { isLive, placeElsewhere, untilFinal } from "../console.mjs";

export default async function (session) {
  const token = session.given("OPERATOR_TOKEN");
  session.expectStatus(401);
  const page = await session.page("/console");
  await page.getByLabel("Operator token").fill(`${token}x`);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("This token was not accepted.").waitFor();
  await session.expectAccessible(page, "a token that was not accepted");
  assert.equal(await page.locator("#console").isVisible(), false);
  await page.getByLabel("Operator token").fill(token);
  await page.keyboard.press("Enter");
  await isLive(page);

  // It holds for the other pages, and after coming back.
  await page.getByRole("link", { name: "Dead letters", exact: true }).first().click();
  await page.locator("#console").waitFor();
  await isLive(page);
  await page.reload();
  await isLive(page);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("Operator token").waitFor();

  // An order can be looked at by who knows its id; its records are for operators.
  const { orderId } = await placeElsewhere(session, [{ id: 1, name: "Keyboard", price: 999 }]);
  await untilFinal(session, orderId);
  await page.goto(`${session.base}/console/orders/${orderId}`);
  await page.locator("#status").getByText("Paid").waitFor();
  await page.getByLabel("Operator token").fill(token);
  await page.keyboard.press("Enter");
  await page.locator("#records li").filter({ hasText: "OrderPlaced" }).waitFor();
}
