// How a peer starts and ends: settings, the listening socket, signals, exit codes.

import { once } from 'node:events';
import http from 'node:http';

/** As Ordermesh's own services exit over a wrong setting (sysexits.h, EX_CONFIG). */
const EXIT_CONFIG = 78;
/** As long as Ordermesh's own services take at most. */
const DRAIN_MS = 20_000;
/** Longer than a pause between two runs of a load generator; Node's 5 s are not. */
const KEEP_ALIVE_MS = 65_000;

/**
 * Reads settings from the environment: `read` is given ways to read one, and every
 * mistake is told before the process ends.
 */
export function settings(read) {
  const mistakes = [];
  const values = read({
    text: (name, fallback) => process.env[name] || fallback,
    integer: (name, fallback, least, most) => {
      const text = process.env[name] || String(fallback);
      const number = Number(text);
      if (!/^[0-9]+$/.test(text) || number < least || number > most) {
        mistakes.push(`${name} must be a whole number from ${least} to ${most}`);
      }
      return number;
    },
  });
  if (mistakes.length > 0) {
    console.error(mistakes.join('\n'));
    process.exit(EXIT_CONFIG);
  }
  return values;
}

/** The value of a step of starting; when it fails, says so and ends the process. */
export async function orExit(what, step) {
  try {
    return await step;
  } catch (error) {
    console.error(`${what}: ${reason(error)}`);
    return process.exit(1);
  }
}

/** What went wrong. A host of several addresses fails with one error for each, and no message of its own. */
export function reason(error) {
  return error.message || error.errors?.map(reason).join(', ') || error.code || String(error);
}

/** Serves until SIGTERM or SIGINT, then answers what is under way, calls `close` and ends. */
export async function serve(app, port, close) {
  const server = http.createServer(app);
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.listen(port);
  await orExit(`cannot listen on port ${port}`, once(server, 'listening'));
  onSignal(() => drain(server, close));
}

/** Calls `end` at the first signal; the same signal again ends the process at once. */
export function onSignal(end) {
  let ending = false;
  for (const signal of ['SIGTERM', 'SIGINT']) {
    process.once(signal, () => {
      if (ending) return;
      ending = true;
      end();
    });
  }
}

async function drain(server, close) {
  setTimeout(() => {
    console.error(`not drained within ${DRAIN_MS} ms`);
    process.exit(1);
  }, DRAIN_MS).unref();
  // A connection that is busy now would be kept for the next request after its answer.
  server.prependListener('request', (_req, res) => res.setHeader('connection', 'close'));
  const sweep = setInterval(() => server.closeIdleConnections(), 50);
  server.close();
  await once(server, 'close');
  clearInterval(sweep);
  await orExit('cannot close', close());
  process.exit(0);
}
