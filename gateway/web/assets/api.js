// Asking the gateway: JSON, or the problem (RFC 9457) that it answers.

import { authorization } from "./token.js";

/** How long an answer may take, in milliseconds: longer than the slowest, a replay, may. */
const PATIENCE = 30_000;

/** Why there is no answer: a problem, or that nobody answered at all (status 0). */
export class Failed extends Error {
  constructor(status, problem) {
    super(problem.detail ?? (status ? `the gateway answered ${status}` : "the gateway could not be reached"));
    this.status = status;
    this.problem = problem;
  }

  /** Whether it is about who asks. */
  get isRefusal() {
    return this.status === 401 || this.status === 403;
  }
}

/** What went wrong, out of an answer that is none. */
export async function failed(answer) {
  try {
    return new Failed(answer.status, await answer.json());
  } catch {
    return new Failed(answer.status, {});
  }
}

/**
 * Asks for JSON.
 * @param {string} path
 * @param {RequestInit} options as of `fetch`; `body` is what is to be sent as JSON
 * @returns {Promise<object>}
 * @throws {Failed}
 */
export async function ask(path, { body, ...options } = {}) {
  const sent = body && { method: "POST", body: JSON.stringify(body) };
  const headers = { accept: "application/json", ...(body && { "content-type": "application/json" }) };
  let answer;
  try {
    const signal = AbortSignal.timeout(PATIENCE);
    answer = await fetch(path, { signal, ...sent, ...options, headers: { ...headers, ...options.headers } });
  } catch {
    throw new Failed(0, {});
  }
  if (!answer.ok) throw await failed(answer);
  return answer.json();
}

/** Asks as the operator who is signed in. */
export const askAsOperator = (path, options = {}) => ask(path, { ...options, headers: authorization() });
