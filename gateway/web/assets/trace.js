// Where an order's trace can be looked at.

import { byId } from "./dom.js";

/** The address of a trace; none where no viewer is configured, or nothing was traced. */
export function traceAddress(traceId) {
  const pattern = byId("main").dataset.traceUrl;
  return pattern && traceId ? pattern.replace("{traceId}", encodeURIComponent(traceId)) : undefined;
}
