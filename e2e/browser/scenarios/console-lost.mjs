// A service goes away and comes back, then the gateway itself: the console tells at once.
//
// Asks for "stop payments", "start payments" and "restart" (the gateway is killed and started again).

import { isLive, service } from "../console.mjs";

export default async function (session) {
  session.losesConnections = true;
  const page = await session.page("/console");
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
