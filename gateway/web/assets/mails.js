// The mails of an order, each as it was sent: its HTML in a frame that may do nothing, and its
// text.

import { ask } from "./api.js";
import { byId, element, write } from "./dom.js";
import { keyed } from "./keyed.js";
import { facts, timeOf } from "./record.js";
import { badge } from "./status.js";

const KINDS = {
  NOTIFICATION_KIND_ORDER_CONFIRMATION: "Confirmation",
  NOTIFICATION_KIND_PAYMENT_DECLINED: "Payment declined",
};

/** Makes the list that of an order's mails; `null` where they cannot be read now. */
export function showMails({ order, notifications }) {
  const message = byId("mails-message");
  write(
    message,
    notifications === null
      ? "The notifier does not answer; its mails cannot be shown now."
      : notifications.length === 0
        ? "No mail yet: mails are written once the payment has come to its end."
        : "",
  );
  message.hidden = message.textContent === "";
  if (notifications === null) return;
  const oldestFirst = notifications.toSorted((a, b) => (a.line ?? -1) - (b.line ?? -1));
  keyed(
    byId("mail-list"),
    oldestFirst,
    ({ notificationId }) => notificationId,
    (mail) => row(mail, order),
  );
}

function row(first, order) {
  const status = element("span", { class: "mail-status" });
  const what =
    first.line === null ? "the whole order" : (order.lines[first.line]?.name ?? `line ${first.line + 1}`);
  const details = element(
    "details",
    { class: "mail" },
    element(
      "summary",
      { class: "entry-line" },
      element("span", { class: "mail-subject" }, first.subject),
      element("span", { class: "quiet small mail-about" }, `${KINDS[first.kind] ?? first.kind}, ${what}`),
      status,
    ),
  );
  let about = element("dl");
  details.append(about);
  details.addEventListener("toggle", () => details.append(contents(first)), { once: true });
  let before;
  return {
    node: element("li", {}, details),
    update(mail) {
      const now = `${mail.status} ${mail.attempts} ${mail.lastError}`;
      if (now === before) return;
      before = now;
      status.replaceChildren(badge(mail.status));
      const newer = facts(
        [
          ["Written", timeOf(mail.createdAt)],
          [
            mail.status === "NOTIFICATION_STATUS_FAILED" ? "Given up" : "Sent",
            mail.sentAt ? timeOf(mail.sentAt) : "",
          ],
          ["Attempts", String(mail.attempts)],
          ["Message-ID", mail.messageId],
          ["Last refusal", mail.lastError],
        ],
        "facts mail-facts",
      );
      about.replaceWith(newer);
      about = newer;
    },
  };
}

/** Frame and text, made when the mail is opened. */
function contents({ orderId, notificationId, subject }) {
  const path = `/orders/${encodeURIComponent(orderId)}/notifications/${encodeURIComponent(notificationId)}`;
  const text = element("pre", { class: "payload", tabindex: "0", "aria-label": "The mail as text" }, "…");
  ask(path)
    .then(({ textBody }) => {
      text.textContent = textBody;
    })
    .catch((failure) => {
      text.textContent = `The text could not be read: ${failure.message}`;
    });
  const frame = element("iframe", {
    class: "mail-frame",
    sandbox: "",
    src: `${path}/html`,
    title: `The mail as HTML: ${subject}`,
    referrerpolicy: "no-referrer",
  });
  return element(
    "div",
    { class: "mail-parts" },
    element("div", {}, element("h3", {}, "HTML"), frame),
    element("div", {}, element("h3", {}, "Text"), text),
  );
}
