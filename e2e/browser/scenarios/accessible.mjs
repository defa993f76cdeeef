// Each page in light and dark, wide and on a phone: nothing for axe-core to find, and nothing
// that sticks out.

import assert from "node:assert/strict";

import { PHONE, WIDE } from "../session.mjs";
import { add, checkOut, stage } from "../shop.mjs";

const PAGES = ["/", "/docs", "/docs/grpc"];

export default async function (session) {
  for (const colorScheme of ["light", "dark"]) {
    for (const viewport of [WIDE, PHONE]) {
      const what = `${colorScheme}, ${viewport.width} px`;
      for (const path of PAGES) {
        const page = await session.page(path, { colorScheme, viewport, reducedMotion: "reduce" });
        await session.expectAccessible(page, `${path}, ${what}`);
        await expectNothingSticksOut(page, `${path}, ${what}`);
        await page.context().close();
      }
      const page = await session.page("/", { colorScheme, viewport, reducedMotion: "reduce" });
      await add(page, "USB cable");
      await session.expectAccessible(page, `a full cart, ${what}`);
      await page.getByLabel("Test card").selectOption("Expired");
      await checkOut(page);
      await stage(page, "1 mail sent");
      await session.expectAccessible(page, `an order, ${what}`);
      await expectNothingSticksOut(page, `an order, ${what}`);
      await page.context().close();
    }
  }
}

async function expectNothingSticksOut(page, what) {
  const [inner, outer] = await page.evaluate(() => [
    document.scrollingElement.scrollWidth,
    document.scrollingElement.clientWidth,
  ]);
  assert.ok(inner <= outer, `${what}: ${inner} px wide in ${outer}`);
}
