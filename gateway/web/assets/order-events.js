// An order's life, as the gateway tells it in server-sent events.

/** How long to wait before asking again where the browser gave up, in milliseconds. */
const AGAIN = 1000;
const STAGES = ["accepted", "stored", "paid", "declined", "mail", "final"];

/**
 * Follows an order until its last stage.
 *
 * The browser reconnects by itself when a connection breaks, and says what it saw last, so
 * nothing is missed or told twice. It gives up where the answer is a failure, as from a proxy
 * whose gateway is down; then this starts anew, and a stage may be told a second time.
 *
 * @param {string} orderId
 * @param {{stage: (name: string, data: object) => void, problem: (problem: object) => void,
 *          connected: (isConnected: boolean) => void}} tell
 * @returns {() => void} stops following
 */
export function follow(orderId, tell) {
  let source;
  let timer;
  let isOver = false;

  const stop = () => {
    isOver = true;
    clearTimeout(timer);
    source?.close();
  };

  const start = () => {
    source = new EventSource(`/orders/${encodeURIComponent(orderId)}/events`);
    source.addEventListener("open", () => tell.connected(true));
    source.addEventListener("error", () => {
      if (isOver) return;
      tell.connected(false);
      if (source.readyState === EventSource.CLOSED) timer = setTimeout(start, AGAIN);
    });
    for (const name of STAGES) {
      source.addEventListener(name, (event) => {
        if (name === "final") stop();
        tell.stage(name, JSON.parse(event.data));
      });
    }
    source.addEventListener("problem", (event) => {
      stop();
      tell.problem(JSON.parse(event.data));
    });
  };

  start();
  return stop;
}
