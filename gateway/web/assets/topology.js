// Which service writes and reads which topic: the way of an order. What is read, and how fast,
// the services tell; what is written stands here.

/** Services from the door to the end, as the gateway lists them. */
export const SERVICES = ["gateway", "payments", "history", "notifier", "analytics"];

/** Topics in the order in which an order comes by, each with who writes it. */
export const TOPICS = [
  { name: "orders.v1", writer: "gateway" },
  { name: "payments.v1", writer: "payments" },
  { name: "user-events.v1", writer: "gateway" },
  { name: "notifications.v1", writer: "notifier" },
];

/** Who reads a topic. */
export const READERS = {
  "orders.v1": ["payments", "history", "notifier", "analytics"],
  "payments.v1": ["history", "notifier", "analytics"],
  "user-events.v1": ["analytics"],
  "notifications.v1": ["analytics"],
};

/** The topics that a service writes. */
export const writtenBy = (service) => TOPICS.filter(({ writer }) => writer === service);

/** A reader that works is a moment behind: what it has read counts once it is committed. */
const MOMENT = 10;
/** So few are no backlog at any rate. */
const FEW = 100;

/** Whether so many records not read yet are a backlog, at so many a second: all that nobody reads is. */
export const isBacklog = (lag, perSecond) => lag > (perSecond > 0 ? Math.max(FEW, MOMENT * perSecond) : 0);
