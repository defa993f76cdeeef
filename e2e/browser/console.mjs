// What an operator does in the console.

import { newCustomer } from "./shop.mjs";

/** Waits until the page follows the system. */
export const isLive = (page) => page.locator("#connection").getByText("Live").waitFor();

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
