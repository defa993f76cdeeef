// Markup in everything that a caller can fill, shown as the text that it is on every page and in
// every mail: nothing becomes an element, nothing runs.
//
// Needs a system that is open to operators without a token, and whose dead letters are those of
// e2e/tests/e2e/hostile.rs.

import assert from "node:assert/strict";
import { request } from "node:http";

import { MARKUP, isComplete, isLive, untilFinal } from "../console.mjs";
import { add, checkOut, newCustomer } from "../shop.mjs";

/** The same where spaces, `=` or quotes are not let through. */
const TIGHT = "<img/src=x/onerror=alert(2)>";
const SCRIPT = '</script><script id="made">alert(3)</script>';
const BROKEN = `"'><svg id="made" onload=alert(4)>{{total}}&lt;b&gt;`;
const LINK = '<a id="made" href="javascript:alert(5)">x</a>';
const NAMES = [MARKUP, SCRIPT, BROKEN, LINK];

/** What would be there if any of them were taken for markup. */
const MADE = 'img[src="x"], img[src="x/onerror=alert(2)"], #made, [onerror], [onload]';

/** A local part in quotes may hold this (RFC 5321, section 4.1.2). */
const ADDRESS = '"<b>x</b>"@example.com';

const HEADERS = {
  "user-agent": MARKUP,
  "x-request-id": MARKUP,
  referer: `http://example.com/${TIGHT}`,
  forwarded: `for="${TIGHT}";host="${TIGHT}"`,
  "x-forwarded-host": TIGHT,
  "x-forwarded-for": TIGHT,
  "accept-language": TIGHT,
  cookie: `a=${TIGHT}`,
  origin: TIGHT,
  traceparent: TIGHT,
  tracestate: `a=${TIGHT.replaceAll("=", ":")}`,
  baggage: `a=${TIGHT}`,
};

export default async function (session) {
  // Refusals are what most of this is after.
  for (const status of [400, 404]) session.expectStatus(status);
  await refusals(session);
  const paid = await placed(session, {});
  const declined = await placed(session, { paymentToken: "tok_declined" });
  await shop(session);
  for (const orderId of [paid, declined]) await orderPage(session, orderId);
  await overview(session);
  await addresses(session);
  await deadLetters(session);
}

/** Sends a request as no browser would, and reads what comes back. */
function send(session, method, path, headers, body) {
  const sent = request(session.base + path, { method, headers: { ...HEADERS, ...headers } });
  return new Promise((done, failed) => {
    sent.on("error", failed);
    sent.on("response", async (answer) => {
      const parts = await answer.toArray();
      done({ status: answer.statusCode, headers: answer.headers, text: Buffer.concat(parts).toString() });
    });
    sent.end(body && JSON.stringify(body));
  });
}

const JSON_TYPE = { "content-type": "application/json" };

/** What is refused says why, as JSON; what was sent in private is not told. */
async function refusals(session) {
  const order = {
    userId: MARKUP,
    currencyCode: MARKUP,
    email: `${MARKUP}@private.example`,
    paymentToken: MARKUP,
    products: [{ id: MARKUP, name: `${MARKUP}\u0007`, price: MARKUP, quantity: MARKUP, [MARKUP]: 1 }],
    [MARKUP]: MARKUP,
  };
  const event = { userId: MARKUP, type: MARKUP, productId: MARKUP, occurredAt: MARKUP, [MARKUP]: MARKUP };
  const keyed = { ...JSON_TYPE, "idempotency-key": MARKUP };
  for (const [path, headers, body, status] of [
    ["/order", JSON_TYPE, order, 400],
    ["/order", keyed, { userId: 1, products: [] }, 400],
    ["/order", { "content-type": TIGHT }, order, 415],
    ["/order", { ...JSON_TYPE, "content-encoding": TIGHT }, order, 415],
    ["/events", JSON_TYPE, event, 400],
    ["/events", JSON_TYPE, MARKUP, 400],
    ["/ops/dead-letters/replay", JSON_TYPE, { ids: [MARKUP], force: MARKUP, [MARKUP]: 1 }, 400],
  ]) {
    const answer = await send(session, "POST", path, headers, body);
    assert.equal(answer.status, status, `${path}: ${answer.text}`);
    assert.equal(answer.headers["content-type"], "application/problem+json");
    assert.equal(answer.headers["x-content-type-options"], "nosniff");
    JSON.parse(answer.text);
    for (const name of Object.keys(answer.headers)) assert.ok(!/img|onerror/.test(answer.headers[name]), name);
    assert.ok(!answer.text.includes("@private.example"), answer.text);
  }
  const odd = await send(session, "GET", "/console", { host: "<img src=x>.example" });
  assert.ok(!odd.text.includes("<img src=x"), odd.text);
}

/** An order with markup in all that an order may hold, in its end; two of each name. */
async function placed(session, more) {
  const order = {
    userId: newCustomer(),
    products: NAMES.map((name, index) => ({ id: 900 + index, name, price: 100, quantity: 5000 })),
    email: ADDRESS,
    paymentToken: TIGHT,
    ...more,
  };
  const key = `${TIGHT}${newCustomer()}`;
  const headers = { ...JSON_TYPE, "idempotency-key": key };
  const answer = await send(session, "POST", "/order", headers, order);
  assert.equal(answer.status, 202, answer.text);
  const { orderId } = JSON.parse(answer.text);
  const view = await untilFinal(session, orderId);
  for (const { status } of view.notifications) assert.equal(status, "NOTIFICATION_STATUS_SENT");
  const again = await send(session, "POST", "/order", headers, { ...order, currencyCode: "EUR" });
  assert.deepEqual([again.status, again.headers["content-type"]], [422, "application/problem+json"]);
  return orderId;
}

/** The shop, whose order is made one that is refused: the rules name what was sent. */
async function shop(session) {
  const page = await session.page(`/?order=${encodeURIComponent(MARKUP)}`);
  assert.equal(await page.locator("#order").isVisible(), false, "an order that is none");
  await page.route("**/order", async (route) => {
    const order = route.request().postDataJSON();
    await route.continue({ postData: JSON.stringify({ ...order, [MARKUP]: MARKUP }) });
  });
  await add(page, "Keyboard");
  await checkOut(page);
  await page.locator("#problem li").filter({ hasText: MARKUP }).waitFor();
  await expectText(page, "the shop's failure");
}

/** All of an order, with everything opened. */
async function orderPage(session, orderId) {
  const page = await session.page(`/console/orders/${orderId}#${encodeURIComponent(MARKUP)}`);
  await isComplete(page);
  const lines = await page.locator("#lines .line-name").allInnerTexts();
  assert.deepEqual(lines, NAMES);
  const mails = page.locator("#mail-list > li");
  for (const mail of await mails.all()) {
    await mail.locator("summary").click();
    const text = mail.getByLabel("The mail as text");
    await text.filter({ hasNotText: /^…$/ }).waitFor();
    const shown = await text.innerText();
    assert.ok(NAMES.some((name) => shown.includes(name)), shown);
    // The frame shows the same.
    const body = mail.frameLocator("iframe").locator("body");
    await body.locator("h1").waitFor();
    const html = (await body.innerText()).replace(/\s+/g, " ");
    for (const name of NAMES) assert.equal(html.includes(name), shown.includes(name), `${name}: ${html}`);
  }
  const subjects = await page.locator(".mail-subject").allInnerTexts();
  if (subjects.length > 1) {
    for (const [index, name] of NAMES.entries()) assert.ok(subjects[index].includes(name), subjects[index]);
  }
  const records = page.locator("#records > li");
  // Placed, settled, and one for each mail; they come a moment after the order is final.
  await records.nth(1 + subjects.length).waitFor();
  for (const record of await records.all()) await record.locator("summary").click();
  const payload = await records.first().getByLabel("Payload").innerText();
  assert.deepEqual(
    JSON.parse(payload).lines.map(({ name }) => name),
    NAMES,
  );
  assert.ok(!(await page.locator("#records").innerText()).includes("@example.com"));
  await expectText(page, "an order");
}

/** The overview: best sold and bought together, and what was typed or came by its address. */
async function overview(session) {
  const page = await session.page(`/console?user=${encodeURIComponent(MARKUP)}`);
  await isLive(page);
  await page.getByRole("heading", { name: `Orders of user ${MARKUP}` }).waitFor();
  assert.equal(await page.getByLabel("User id").inputValue(), MARKUP);
  await page.locator("#orders-message").getByText("could not be read").waitFor();
  for (const list of ["#products", "#pairs"]) {
    for (const name of NAMES.slice(0, 2)) {
      await page.locator(`${list} .rank-name`).filter({ hasText: name }).first().waitFor();
    }
  }
  await page.getByText("As a table").click();
  await page.locator("#rate-chart .u-over").hover();
  await page.getByLabel("Order id").fill(MARKUP);
  await page.getByRole("button", { name: "Open" }).click();
  await page.getByText("An order id has 36 characters").waitFor();
  await expectText(page, "the overview");
}

/** Addresses that hold markup, as an honest user may be led to. */
async function addresses(session) {
  const markup = encodeURIComponent(MARKUP);
  const page = await session.page(`/console/orders/${markup}`);
  await page.getByRole("heading", { name: "This is not an order's id" }).waitFor();
  assert.equal(await page.locator("#order-id").innerText(), MARKUP);
  assert.equal(await page.title(), `Order ${MARKUP} – Ordermesh`);
  await expectText(page, "an order that is none");
  for (const path of [
    `/${markup}`,
    `/docs?${markup}`,
    `/docs/grpc#${markup}`,
    `/assets/x/${markup}`,
    `/orders/${markup}?${markup}=${markup}`,
    `/orders/${markup}/notifications/${markup}/html`,
    `/users/${markup}/orders?${markup}=${markup}`,
    `/analytics/rate?width=${markup}&startTime=${markup}`,
    `/analytics/top-products?currencyCode=${markup}&${markup}=1`,
    `/orders?pageToken=${markup}`,
  ]) {
    await page.goto(session.base + path);
    await expectText(page, path);
  }
}

/** Records that nobody could work with, and one that claims to be such a letter. */
async function deadLetters(session) {
  const markup = encodeURIComponent(MARKUP);
  const page = await session.page(`/console/dead-letters?service=${markup}&class=${markup}`);
  await page.locator("#message").getByText("could not be read").waitFor();
  assert.equal(await page.getByLabel("Service").inputValue(), MARKUP);
  await expectText(page, "filters that are none");

  await page.goto(`${session.base}/console/dead-letters?service=history`);
  const letters = page.locator(".letter-row");
  await letters.nth(2).waitFor();
  for (const letter of await letters.all()) await letter.locator("summary").first().click();
  const text = await page.locator("#letters").innerText();
  // Key, type, class, message, origin, headers' names and values, and what is in the payload.
  for (const part of [
    `${MARKUP} key`,
    `${MARKUP} type`,
    `${MARKUP} class`,
    `${MARKUP} message`,
    `${MARKUP} topic`,
    `${MARKUP} header`,
    `${MARKUP} value`,
    `${MARKUP} payload`,
  ]) {
    assert.ok(text.includes(part), `${part}: ${text}`);
  }
  const classes = page.locator("#class option").filter({ hasText: `${MARKUP} class` });
  assert.equal(await classes.count(), 1, "a class to choose");
  await expectText(page, "dead letters");
}

/** In no frame of the page did markup become anything. */
async function expectText(page, what) {
  for (const frame of page.frames()) {
    // By count, which needs no script of the frame's own: those of mails run none.
    assert.equal(await frame.locator(MADE).count(), 0, `${what}, ${frame.url()}`);
  }
}
