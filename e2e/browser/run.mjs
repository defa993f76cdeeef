// Runs one scenario in Chromium: node run.mjs SCENARIO BASE_URL CHROMIUM
//
// What a scenario needs from outside (a gateway to be restarted, say) it asks for in a line
// "ask …" on standard output, and is answered by a line on standard input.

import { Session } from "./session.mjs";

const [scenario, base, chromium] = process.argv.slice(2);
const { default: play } = await import(`./scenarios/${scenario}.mjs`);
const session = await Session.open(base, chromium);
try {
  await play(session);
  session.expectQuiet();
} finally {
  await session.close();
}
