// Placing an order so that it is one order, whatever the network does.

/** Answers after which the same request may be sent again under its key. */
const AGAIN = new Set([408, 429, 502, 503, 504]);
const ATTEMPTS = 5;
const PAUSE = 500;
/** How long one attempt may take, in milliseconds: longer than the gateway takes to say so itself. */
const PATIENCE = 15_000;

/** A key that no other checkout has. `crypto.randomUUID` is missing on plain HTTP but localhost. */
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Why an order was not accepted: a problem (RFC 9457), or that nobody answered. */
export class Refused extends Error {
  constructor(problem) {
    super(problem.detail ?? "the shop could not be reached; try again");
    this.problem = problem;
  }
}

/**
 * Sends an order, and sends it again under the same key where that may help.
 * @returns {Promise<{accepted: object, milliseconds: number}>} the answer, and how long the
 *   attempt that got it took
 */
export async function place(order, key) {
  let problem = {};
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    if (attempt > 0) await pause(problem.retryAfter ?? PAUSE * attempt);
    const begin = performance.now();
    try {
      const answer = await fetch("/order", {
        method: "POST",
        headers: { "content-type": "application/json", "idempotency-key": key },
        body: JSON.stringify(order),
        signal: AbortSignal.timeout(PATIENCE),
      });
      const body = await answer.json();
      if (answer.ok) return { accepted: body, milliseconds: performance.now() - begin };
      const after = Number(answer.headers.get("retry-after"));
      problem = { ...body, retryAfter: after > 0 ? after * 1000 : undefined };
      if (!AGAIN.has(answer.status)) break;
    } catch {
      // No answer, or none that can be read: the key makes asking again safe.
      problem = {};
    }
  }
  throw new Refused(problem);
}

const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
