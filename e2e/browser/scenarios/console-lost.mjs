// A service goes away and comes back, then the gateway itself: the console tells at once.
//
// Asks for "stop payments", "start payments" and "restart" (the gateway is killed and started again).
// Needs `OPERATOR_TOKEN` in the environment, as a real cluster's gateway does.

import { isLive, service } from "../console.mjs";

export default async function (session) {
  session.losesConnections = true;
  session.expectStatus(401);
  const page = await session.page("/console");
  await page.getByLabel("Operator token").fill(session.given("OPERATOR_TOKEN"));
  await page.keyboard.press("Enter");
  await isLive(page);
  await service(page, "payments").getByText("Ready", { exact: true }).waitFor();
  await session.ask("stop payments");
  await service(page, "payments").getByText("Unreachable").waitFor();
  await page.locator("#news").getByText("payments: unreachable").waitFor({ state: "attached" });
  await session.ask("start payments");
  await service(page, "payments").getByText("Ready", { exact: true }).waitFor();

  const reconnecting = page.locator("#connection").getByText("Reconnecting").waitFor();
  await Promise.all([reconnecting, session.ask("restart")]);
  await isLive(page);
  await service(page, "gateway").getByText("Ready", { exact: true }).waitFor();
}
