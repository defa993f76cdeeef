// A dead letter is looked at and put back; a second time it is left out.
//
// Needs `DEAD_LETTER_ID` in the environment: the id of a dead letter of this gateway's system, as
// `history:0:17`, that was not replayed yet and is young enough to be. The gateway has to be open to
// operators without a token.

import assert from "node:assert/strict";

export default async function (session) {
  const id = session.given("DEAD_LETTER_ID");
  const [service] = id.split(":");
  const page = await session.page("/console/dead-letters");
  await page.getByLabel("Service").selectOption(service);
  await page.waitForURL(`**/console/dead-letters?service=${service}`);
  const row = page.locator(".letter-row").filter({ has: page.locator(`input[value="${id}"]`) });
  await row.waitFor();
  await row.locator("summary").first().click();
  await row.getByText("Dead letter", { exact: true }).waitFor();
  await row.getByRole("heading", { name: "Payload" }).waitFor();

  const replay = page.locator("#replay");
  assert.equal(await replay.isDisabled(), true);
  await row.getByRole("checkbox").check();

  // Asked first: Escape, and nothing happens.
  await replay.click();
  await page.getByRole("dialog").getByText("Replay 1 dead letter?").waitFor();
  await page.keyboard.press("Escape");
  assert.equal(await page.locator("#result").isVisible(), false);

  await replay.click();
  await page.getByRole("dialog").getByRole("button", { name: "Replay" }).click();
  await page.getByText("1 replayed.", { exact: true }).waitFor();
  await row.getByText("Replayed", { exact: true }).waitFor();
  assert.equal(await row.getByRole("checkbox").isDisabled(), true);

  // Who did not see it yet does no harm.
  const ids = [id, "history:0:999999999"];
  const again = await session.send("/ops/dead-letters/replay", { ids });
  assert.deepEqual(again, { replayed: [], replayedBefore: [id], tooOld: [], unknown: ids.slice(1) });
}
