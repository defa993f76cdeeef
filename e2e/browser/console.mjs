// What an operator does in the console.

import { newCustomer } from "./shop.mjs";

/** Waits until the page follows the system. */
export const isLive = (page) => page.locator("#connection").getByText("Live").waitFor();

/** Waits until the page of an order follows it no more: it is final. */
export const isComplete = (page) => page.locator("#connection").getByText("Complete").waitFor();

/** Waits until the overview has what comes last: its chart and the latest orders. */
export async function isDrawn(page) {
  await isLive(page);
  await page.locator("#rate-chart canvas").waitFor();
  await page.locator("#orders tbody tr").first().waitFor();
}

/** The card of a service. */
export const service = (page, name) => page.locator(`.service[data-service="${name}"]`);

/** An order that is placed elsewhere: by a program, not in a browser. */
export async function placeElsewhere(session, products, more = {}) {
  const userId = newCustomer();
  const { orderId } = await session.send("/order", { userId, products, ...more });
  return { orderId, userId };
}

/** Waits until nothing more happens to an order. */
export const untilFinal = (session, orderId) => session.api(`/orders/${orderId}?wait=20s&until=final`);

/** What would do harm if it were taken for markup. */
export const MARKUP = "<img src=x onerror=alert(1)>";
