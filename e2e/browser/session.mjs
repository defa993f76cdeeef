// A browser and what must hold in every scenario: no error in the console, no request to
// another host.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

import { chromium as browserType } from "playwright-core";

const axeFile = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const axe = readFileSync(axeFile, "utf8");

/** Chromium as root, in a container, without a word to anybody else. */
const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export const WIDE = { width: 1280, height: 900 };
export const PHONE = { width: 390, height: 844 };

/** What a browser says of its own when a server is gone. */
const LOST = /net::ERR_(CONNECTION_REFUSED|CONNECTION_RESET|INCOMPLETE_CHUNKED_ENCODING|EMPTY_RESPONSE)/;

export class Session {
  static async open(base, executablePath) {
    const browser = await browserType.launch({ executablePath, args: ARGUMENTS });
    return new Session(base, browser);
  }

  constructor(base, browser) {
    this.base = base;
    this.browser = browser;
    this.complaints = [];
    this.losesConnections = false;
    /** What the browser says of answers that a scenario is after, such as a refusal. */
    this.expected = [];
    this.answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  }

  /** A page of its own, watched, at an address. Options as of Playwright's contexts. */
  async page(path, options = {}) {
    const page = await this.blank(path, options);
    await page.goto(this.base + path);
    return page;
  }

  /** The same before it goes anywhere. */
  async blank(path, options = {}) {
    const context = await this.browser.newContext({ locale: "en-US", viewport: WIDE, ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(20_000);
    page.on("dialog", (dialog) => {
      this.complaints.push(`${path}: a dialog says ${dialog.message()}`);
      dialog.dismiss();
    });
    page.on("pageerror", (error) => this.complaints.push(`${path}: ${error}`));
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") {
        this.complaints.push(`${path}: ${message.text()}`);
      }
    });
    page.on("request", (request) => {
      const { origin, protocol } = new URL(request.url());
      if (origin !== this.base && protocol !== "data:") {
        this.complaints.push(`${path}: a request to ${origin}`);
      }
    });
    return page;
  }

  /** JSON from the API, past the browser. */
  async api(path) {
    return (await fetch(this.base + path)).json();
  }

  /** Sends JSON to the API, past the browser. */
  async send(path, body) {
    const headers = { "content-type": "application/json" };
    const answer = await fetch(this.base + path, { method: "POST", headers, body: JSON.stringify(body) });
    assert.ok(answer.ok, `${path}: ${answer.status}`);
    return answer.json();
  }

  /** What the test gives a scenario in its environment. */
  given(name) {
    const value = process.env[name];
    assert.ok(value, `the scenario needs ${name}`);
    return value;
  }

  /** A refusal that a scenario is after: the browser tells of it, and may. */
  expectStatus(status) {
    this.expected.push(new RegExp(`responded with a status of ${status}\\b`));
  }

  /** Has something done outside, and waits until it is. */
  async ask(what) {
    console.log(`ask ${what}`);
    const { value } = await this.answers.next();
    assert.equal(value, "done", what);
  }

  expectQuiet() {
    const may = [...this.expected, ...(this.losesConnections ? [LOST] : [])];
    const complaints = this.complaints.filter((text) => !may.some((pattern) => pattern.test(text)));
    assert.deepEqual(complaints, []);
  }

  /** Fails with what axe-core finds on a page. */
  async expectAccessible(page, what) {
    // By the debugger, to which the page's policy does not apply.
    await page.evaluate(axe);
    const { violations, passes } = await page.evaluate(() => globalThis.axe.run());
    const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`);
    assert.deepEqual(found, [], what);
    assert.ok(passes.length > 10, `${what}: axe looked at next to nothing`);
  }

  async close() {
    await this.browser.close();
    process.stdin.destroy();
  }
}
