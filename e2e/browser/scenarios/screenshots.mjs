// Pictures of the pages for the README. `make screenshots` takes them of a running system.
//
// Needs `PICTURES` in the environment: the folder for them. With `ALL` set every page is taken
// there, light and dark, wide and as on a phone. The gateway has to be open to operators without
// a token.

import { readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { isComplete, isDrawn, isLive, placeElsewhere, service, untilFinal } from "../console.mjs";
import { PHONE } from "../session.mjs";
import { add, asNewCustomer, checkOut, stage } from "../shop.mjs";

const SCREEN = { width: 1280, height: 860 };
/** As much of a page as tells what it is. */
const SHOP = { width: 1280, height: 700 };
const OVERVIEW = { width: 1280, height: 1300 };
const ORDER = { width: 1280, height: 1200 };
const ORDERS = 24;
/** What the shop sells. */
const GOODS = JSON.parse(
  readFileSync(new URL("../../../gateway/web/catalogue.json", import.meta.url), "utf8"),
).products;

export default async function (session) {
  const folder = session.given("PICTURES");
  await mkdir(folder, { recursive: true });
  const orderId = await traffic(session);
  const take = async (name, path, options, ready) => {
    const page = await session.page(path, { viewport: SCREEN, reducedMotion: "reduce", ...options });
    await ready(page);
    // What was clicked may have scrolled the page.
    await page.evaluate(() => scrollTo(0, 0));
    await page.screenshot({ path: join(folder, `${name}.png`), fullPage: options.fullPage ?? false });
    await page.context().close();
  };
  await take("shop", "/", { colorScheme: "light", viewport: SHOP }, bought);
  await take("console", "/console", { colorScheme: "dark", viewport: OVERVIEW }, overview);
  await take("order", `/console/orders/${orderId}`, { colorScheme: "light", viewport: ORDER }, order);
  if (!process.env.ALL) return;
  for (const colorScheme of ["light", "dark"]) {
    for (const viewport of [SCREEN, PHONE]) {
      const form = { colorScheme, viewport, fullPage: true };
      const of = (name) => `${name}-${colorScheme}-${viewport.width}`;
      await take(of("shop"), "/", form, bought);
      await take(of("shop-cart"), "/", form, (page) => add(page, "USB cable"));
      await take(of("console"), "/console", form, overview);
      await take(of("order"), `/console/orders/${orderId}`, form, order);
      await take(of("dead-letters"), "/console/dead-letters", form, letters);
      await take(of("docs"), "/docs", { ...form, fullPage: false }, async () => {});
      await take(of("grpc"), "/docs/grpc", { ...form, fullPage: false }, async () => {});
      await take(of("missing"), "/console/orders/4711", form, (page) =>
        page.getByRole("heading", { name: "This is not an order's id" }).waitFor(),
      );
    }
  }
  session.expectStatus(400);
}

/** Customers who look, hesitate and buy; gives an order of several lines. */
async function traffic(session) {
  for (let index = 0; index < ORDERS; index += 1) {
    const some = GOODS.filter((_, at) => (index + at) % 5 === 0 || at === index % 3);
    const products = some.map((good) => line(good, 1 + (index % 2)));
    const card = index % 8 === 7 ? { paymentToken: "tok_insufficient_funds" } : {};
    const { userId } = await placeElsewhere(session, products, card);
    const types = ["PRODUCT_VIEWED", "ADDED_TO_CART", "CHECKOUT_STARTED"].slice(0, 1 + (index % 3));
    for (const type of types) {
      const event = { userId, type: `USER_EVENT_TYPE_${type}`, productId: products[0].id };
      await session.send("/events", event);
    }
  }
  const lines = GOODS.slice(0, 3).map((good, index) => line(good, 1 + (index % 2)));
  const { orderId } = await placeElsewhere(session, lines);
  await untilFinal(session, orderId);
  return orderId;
}

const line = ({ id, name, price }, quantity) => ({ id, name, price, quantity });

async function bought(page) {
  await add(page, "Keyboard");
  await add(page, "Mouse");
  await asNewCustomer(page);
  await checkOut(page);
  await stage(page, "2 mails sent");
}

async function overview(page) {
  await isDrawn(page);
  await service(page, "analytics").getByText("Ready", { exact: true }).waitFor();
}

async function order(page) {
  await isComplete(page);
  await page.locator("#mail-list summary").first().click();
  await page.frameLocator(".mail-frame").locator("h1").waitFor();
  await page.locator("#records > li").first().waitFor();
  await page.locator("#records summary").first().click();
}

async function letters(page) {
  await isLive(page);
  await page.locator("#letters li, #message:not([hidden])").first().waitFor();
  const first = page.locator(".letter-row summary").first();
  if (await first.isVisible()) await first.click();
}
